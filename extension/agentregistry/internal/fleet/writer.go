package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// writeLoop writes what sessions left to write. While one write runs the next gathers, so that thousands of agents
// that come at once are a few statements.
func (f *Fleet) writeLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake.write:
		}
		if f.currentIncarnation() == 0 || !f.unwritten() {
			continue // the first sync wakes again
		}
		pause(ctx, gather)
		call, cancel := context.WithTimeout(ctx, f.settings.OperationTimeout)
		err := f.write(call)
		cancel()
		if errors.Is(err, store.ErrLeaseLost) {
			signal(f.wake.sync)
			pause(ctx, gather)
			continue
		}
		f.failed(ctx, "write what agents report", err)
		if err != nil {
			pause(ctx, retry)
			signal(f.wake.write)
		}
	}
}

// write puts everything down once, in the order in which it makes sense: commands that a stream left behind are given back before its
// end is written, as they would pass for lost with it.
func (f *Fleet) write(ctx context.Context) error {
	for _, step := range []func(context.Context) error{f.writeOpenings, f.writeFacts, f.writeConfigs, f.writeCommands, f.writeClosings} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) unwritten() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.enrol)+len(f.ending)+len(f.confirm) > 0 || f.moves.waiting() {
		return true
	}
	for _, s := range f.sessions {
		if s.unwritten() {
			return true
		}
	}
	return false
}

func (s *session) unwritten() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number == 0 || s.facts != nil || s.config != nil
}

// maxBatch bounds the rows of one statement.
const maxBatch = 2000

func (f *Fleet) writeOpenings(ctx context.Context) error {
	incarnation := f.currentIncarnation()
	sessions, openings := f.openings()
	for start := 0; start < len(openings); start += maxBatch {
		end := min(start+maxBatch, len(openings))
		opened, err := f.store.OpenSessions(ctx, incarnation, openings[start:end])
		if err != nil {
			return err
		}
		f.opened(incarnation, sessions[start:end], openings[start:end], opened)
	}
	return nil
}

// openings collects sessions that are not in the store, sorted by agent so that statements of several gateways never
// wait for each other in a circle. An enrolment without a stream has no session.
func (f *Fleet) openings() ([]*session, []store.Opening) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	byAgent := map[string]*session{}
	for s := range f.ending {
		if s.fence() == 0 {
			byAgent[s.peer.AgentID] = s
		}
	}
	for id, s := range f.sessions {
		if s.fence() == 0 {
			byAgent[id] = s
		}
	}
	openings := make([]store.Opening, 0, len(byAgent)+len(f.enrol))
	for _, s := range byAgent {
		openings = append(openings, f.opening(&s.peer, time.Since(s.opened), ifElse(f.settings.RequireApproval, store.Pending, store.Approved)))
	}
	for id, opening := range f.enrol {
		if byAgent[id] == nil {
			openings = append(openings, opening)
		}
	}
	slices.SortFunc(openings, func(a, b store.Opening) int { return strings.Compare(a.AgentID, b.AgentID) })
	sessions := make([]*session, len(openings))
	for i := range openings {
		sessions[i] = byAgent[openings[i].AgentID]
	}
	return sessions, openings
}

// opened takes the fences over.
func (f *Fleet) opened(incarnation int64, sessions []*session, openings []store.Opening, opened []store.Opened) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, s := range sessions {
		delete(f.enrol, openings[i].AgentID)
		if s == nil || f.incarnation != incarnation {
			continue
		}
		switch {
		case opened[i].Approval == store.Revoked:
			f.refuse(s, agentsession.ErrRevoked)
		case opened[i].Approval == store.Pending:
			f.refuse(s, agentsession.ErrApprovalRequired)
		case opened[i].Session == 0:
			f.lost(s)
		default:
			f.registered(s, opened[i].Session)
		}
	}
}

func (f *Fleet) refuse(s *session, reason error) {
	s.end(reason)
	f.retire(s)
	delete(f.ending, s)
}

// lost takes note that a newer session is open elsewhere.
func (f *Fleet) lost(s *session) {
	delete(f.ending, s)
	if f.sessions[s.peer.AgentID] != s {
		return
	}
	s.mu.Lock()
	s.superseded = true
	s.mu.Unlock()
	f.older[s] = struct{}{}
	delete(f.sessions, s.peer.AgentID)
	if e, ok := f.entries[s.peer.AgentID]; ok && e.local == s {
		e.local = nil
	}
	signal(f.wake.sync)
}

func (f *Fleet) registered(s *session, number int64) {
	s.mu.Lock()
	s.number = number
	if e := f.entries[s.peer.AgentID]; e != nil && s.facts == nil && e.local == s && !e.agent.FactsAt.Equal(e.storedFactsAt) {
		s.facts = &store.FactsUpdate{AgentID: e.agent.ID, At: e.agent.FactsAt, Facts: e.agent.Facts}
	}
	s.mu.Unlock()
	e, ok := f.entries[s.peer.AgentID]
	if !ok {
		return
	}
	if _, over := f.ending[s]; over {
		e.ended = max(e.ended, number)
	}
	if number > e.live.Session {
		e.live.Session = number
	}
}

func (f *Fleet) writeClosings(ctx context.Context) error {
	closings, ended := f.closings()
	for start := 0; start < len(closings); start += maxBatch {
		end := min(start+maxBatch, len(closings))
		if err := f.store.CloseSessions(ctx, closings[start:end]); err != nil {
			return err
		}
		f.forget(ended[start:end])
	}
	return nil
}

func (f *Fleet) forget(ended []*session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range ended {
		delete(f.ending, s)
	}
}

func (f *Fleet) closings() ([]store.Closing, []*session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var closings []store.Closing
	var ended []*session
	for s := range f.ending {
		s.mu.Lock()
		switch {
		case s.number != 0:
			closings = append(closings, store.Closing{
				AgentID: s.peer.AgentID, Session: s.number, Age: time.Since(s.closedAt), SeenAge: time.Since(s.seen), Reason: reasonOf(s.err),
			})
			ended = append(ended, s)
		case f.sessions[s.peer.AgentID] != nil:
			delete(f.ending, s) // never known, and the agent is back
		}
		s.mu.Unlock()
	}
	return closings, ended
}

func reasonOf(err error) string {
	if err == nil {
		return "the stream ended"
	}
	return err.Error()
}
