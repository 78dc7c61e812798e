package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

var (
	errRemoved  = agentsession.ErrRemoved
	errShutdown = errors.New("the registry is shutting down")
)

// session is one stream. Lock order: the fleet's lock, then the session's.
type session struct {
	fleet  *Fleet
	peer   agentsession.Peer
	opened time.Time // monotonic
	tail   *tail
	sends  chan *agentv1.ServerCommand
	done   chan struct{}

	mu sync.Mutex
	// number is the fence; 0 while the session is not in the store.
	number     int64
	superseded bool
	closed     bool
	closedAt   time.Time
	err        error
	seen       time.Time
	greeted    bool // had its first heartbeat
	heartbeat  *agentv1.Heartbeat
	heartbeats time.Time // when the newest heartbeat was queued
	// spoke is when the last heartbeat was queued, which may be long past while the agent replays its buffer.
	spoke  time.Time
	facts  *store.FactsUpdate
	config *store.ConfigUpdate
	rates  rates
	// inflight are the commands handed out whose fate the receiver has not told.
	inflight map[string]handedOut
	// resultsLeftOut says that the agent sent more results than anybody asked for.
	resultsLeftOut bool
}

// handedOut is what a session remembers of a command.
type handedOut struct {
	claimed int64     // the session's number at that time
	expires time.Time // by the store's clock
}

var _ agentsession.Session = (*session)(nil)

// Open implements agentsession.Registry.
func (f *Fleet) Open(_ context.Context, peer agentsession.Peer) (agentsession.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.admit(&peer); err != nil {
		return nil, err
	}
	s := &session{
		fleet: f, peer: peer, opened: time.Now(), seen: time.Now(), tail: newTail(f.answered(peer.AgentID)),
		sends: make(chan *agentv1.ServerCommand, 16), done: make(chan struct{}), inflight: map[string]handedOut{},
	}
	e := f.entryOf(peer.AgentID, clean(peer.Hostname, maxText))
	e.opens.add(f.now())
	f.replace(e, s)
	signal(f.wake.write)
	f.hub.agent(peer.AgentID)
	return s, nil
}

// admit says whether the agent may send, by what this gateway knows.
func (f *Fleet) admit(peer *agentsession.Peer) error {
	e, known := f.entries[peer.AgentID]
	switch {
	case known && e.agent.Approval == store.Revoked:
		return fmt.Errorf("agent %q: %w", peer.AgentID, agentsession.ErrRevoked)
	case known && e.agent.Approval == store.Pending:
		return fmt.Errorf("agent %q: %w", peer.AgentID, agentsession.ErrApprovalRequired)
	case known:
		return nil
	case f.settings.MaxAgents > 0 && len(f.entries)+len(f.enrol) >= f.settings.MaxAgents:
		return fmt.Errorf("agent %q: %w (%d)", peer.AgentID, agentsession.ErrTooManyAgents, f.settings.MaxAgents)
	case !f.settings.RequireApproval:
		return nil
	}
	if len(f.enrol) < maxEnrolments {
		f.enrol[peer.AgentID] = f.opening(peer, 0, store.Pending)
		signal(f.wake.write)
	}
	return fmt.Errorf("agent %q: %w", peer.AgentID, agentsession.ErrApprovalRequired)
}

// maxEnrolments bounds what waits for the store; an agent left out dials again.
const maxEnrolments = 10_000

func (f *Fleet) opening(peer *agentsession.Peer, age time.Duration, approval store.Approval) store.Opening {
	return store.Opening{
		AgentID: peer.AgentID, Hostname: clean(peer.Hostname, maxText), GatewayID: f.settings.GatewayID,
		Address: clean(peer.Address, maxText), Authentication: string(peer.Authentication), Age: age, Approval: approval,
	}
}

// replace makes s the session that speaks for the agent. The fleet's lock is held.
func (f *Fleet) replace(e *entry, s *session) {
	if old := e.local; old != nil {
		old.mu.Lock()
		old.superseded = true
		old.mu.Unlock()
		f.older[old] = struct{}{}
		s.rates.points = old.currentRates()
	} else {
		s.rates.points = e.rates
	}
	e.local = s
	f.sessions[s.peer.AgentID] = s
}

// supersede takes note that another gateway holds the agent now. The fleet's lock is held.
func (f *Fleet) supersede(e *entry) {
	s := e.local
	if s == nil || f.own[e.live.Incarnation] || !e.live.ClosedAt.IsZero() {
		return
	}
	if e.live.OpenedAt.Before(s.openedAt(f.now())) {
		return // ours is newer and about to be written
	}
	s.mu.Lock()
	s.superseded, s.number = true, 0
	s.mu.Unlock()
	f.older[s] = struct{}{}
	e.local = nil
	delete(f.sessions, s.peer.AgentID)
}

// revive lets a superseded stream that is still alive speak again when no newer one does.
func (f *Fleet) revive(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, known := f.entries[s.peer.AgentID]
	if !known || e.agent.Approval != store.Approved {
		return
	}
	if online, since := f.online(e); online || f.now().Sub(since) < reviveAfter {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || e.local != nil {
		return
	}
	s.superseded, s.number = false, 0
	delete(f.older, s)
	e.local = s
	f.sessions[s.peer.AgentID] = s
	signal(f.wake.write)
	f.hub.agent(s.peer.AgentID)
}

// reviveAfter gives a moving agent the time to arrive.
const reviveAfter = 2 * time.Second

// enforce ends the session of an agent that may not send any more. The fleet's lock is held.
func (f *Fleet) enforce(e *entry) {
	switch e.agent.Approval {
	case store.Revoked:
		f.endSessions(e.agent.ID, agentsession.ErrRevoked)
	case store.Pending:
		f.endSessions(e.agent.ID, agentsession.ErrApprovalRequired)
	}
}

// endSessions asks the receiver to close the agent's streams. The fleet's lock is held.
func (f *Fleet) endSessions(agentID string, reason error) {
	if s, ok := f.sessions[agentID]; ok {
		s.end(reason)
		f.retire(s)
	}
	for s := range f.older {
		if s.peer.AgentID == agentID {
			s.end(reason)
		}
	}
}

func (f *Fleet) endAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		s.end(errShutdown)
		f.retire(s)
	}
	for s := range f.older {
		s.end(errShutdown)
	}
}

// retire stops a session from speaking for its agent, and has its end written. The fleet's lock is held.
func (f *Fleet) retire(s *session) {
	delete(f.older, s)
	id := s.peer.AgentID
	if f.sessions[id] != s {
		return
	}
	delete(f.sessions, id)
	f.ending[s] = struct{}{}
	if e, ok := f.entries[id]; ok && e.local == s {
		s.describe(&e.live, f.now())
		e.local, e.rates = nil, s.currentRates()
		e.ended, e.endedAt = s.fence(), f.now()
		if e.ended == 0 {
			e.live.ClosedAt = e.endedAt
		}
	}
	f.hub.agent(id)
	signal(f.wake.write)
}

// Close implements agentsession.Session.
func (s *session) Close() {
	s.end(nil)
	s.fleet.mu.Lock()
	s.fleet.retire(s)
	s.fleet.mu.Unlock()
}

// end closes the channels. A nil reason is the receiver's own.
func (s *session) end(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed, s.closedAt, s.err = true, time.Now(), reason
	close(s.sends)
	close(s.done)
	s.tail.close()
	s.fleet.move(s.undelivered())
}

// undelivered says what becomes of the commands that were handed out. The session's lock is held.
func (s *session) undelivered() []store.CommandUpdate {
	var updates []store.CommandUpdate
	for command := range s.sends { // closed: drains what the receiver never took
		updates = append(updates, s.giveBack(command.CommandId))
		delete(s.inflight, command.CommandId)
	}
	for id := range maps.Keys(s.inflight) {
		updates = append(updates, store.CommandUpdate{
			ID: id, AgentID: s.peer.AgentID, State: store.CommandUnconfirmed, Result: "the stream ended while the command was being sent",
		})
	}
	clear(s.inflight)
	return updates
}

// giveBack lets another session have a command that is in flight. The session's lock is held.
func (s *session) giveBack(id string) store.CommandUpdate {
	return store.CommandUpdate{ID: id, AgentID: s.peer.AgentID, State: store.CommandPending, Claimed: s.inflight[id].claimed}
}

// Commands implements agentsession.Session.
func (s *session) Commands() <-chan *agentv1.ServerCommand { return s.sends }

// Due implements agentsession.Session. An agent that does not read its stream keeps commands waiting here.
func (s *session) Due(commandID string) bool {
	now := s.fleet.Now()
	s.mu.Lock()
	command, known := s.inflight[commandID]
	expired := known && now.After(command.expires)
	if expired {
		delete(s.inflight, commandID)
	}
	s.mu.Unlock()
	if expired {
		s.fleet.move([]store.CommandUpdate{{
			ID: commandID, AgentID: s.peer.AgentID, State: store.CommandExpired, Claimed: command.claimed, Result: store.ReasonNotRead,
		}})
	}
	return !expired
}

// Done implements agentsession.Session.
func (s *session) Done() <-chan struct{} { return s.done }

// Err implements agentsession.Session.
func (s *session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *session) fence() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number
}

// openedAt is the time of opening by the store's clock.
func (s *session) openedAt(now time.Time) time.Time { return now.Add(-time.Since(s.opened)) }

// describe fills in what the session knows better than the store. now is by the store's clock.
func (s *session) describe(live *store.Liveness, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live.AgentID, live.Session = s.peer.AgentID, s.number
	live.GatewayID, live.Incarnation = s.fleet.settings.GatewayID, s.fleet.incarnation
	live.Address, live.Authentication = clean(s.peer.Address, maxText), string(s.peer.Authentication)
	live.OpenedAt, live.ClosedAt = s.openedAt(now), time.Time{}
	live.LastSeen = now.Add(-time.Since(s.seen))
}
