package fleet

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// claimLoop fetches commands for local agents.
func (f *Fleet) claimLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake.claim:
		}
		if err := f.claim(ctx); err != nil {
			f.failed(ctx, "fetch commands", err)
			pause(ctx, retry)
			signal(f.wake.claim)
		}
	}
}

func (f *Fleet) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.settings.OperationTimeout)
	defer cancel()
	incarnation := f.currentIncarnation()
	if incarnation == 0 {
		return nil
	}
	commands, err := f.store.Claim(ctx, incarnation)
	if err != nil {
		return err
	}
	for i := range commands {
		f.deliver(commands[i])
	}
	return nil
}

// deliver hands a claimed command to the session that claimed it, or gives it back.
func (f *Fleet) deliver(c store.Command) {
	f.mu.RLock()
	s := f.sessions[c.AgentID]
	f.mu.RUnlock()
	if s != nil && c.Type == store.TypeLogRequest {
		f.loops.Go(func() {
			pause(f.ctx, s.listen(c.Parameters.LogType))
			f.handOut(s, &c)
		})
		return
	}
	f.handOut(s, &c)
}

// handOut gives the command to the session, or back to the store. That of an agent that does not read its commands stays claimed for a
// moment, because what is given back is claimed again at once.
func (f *Fleet) handOut(s *session, c *store.Command) {
	if s != nil && s.handOut(c) {
		return
	}
	back := []store.CommandUpdate{{ID: c.ID, AgentID: c.AgentID, State: store.CommandPending, Claimed: c.Claimed}}
	if s == nil || !s.behind() {
		f.move(back)
		return
	}
	f.loops.Go(func() {
		pause(f.ctx, retry)
		f.move(back)
	})
}

func (s *session) behind() bool { return len(s.sends) == cap(s.sends) }

func (s *session) listen(kind string) time.Duration {
	s.mu.Lock()
	agentNow := s.spoke
	s.mu.Unlock()
	return s.tail.listen(kind, time.Now(), agentNow)
}

func (s *session) handOut(c *store.Command) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.number != c.Claimed || s.behind() {
		return false
	}
	if p := &c.Parameters; c.Type == store.TypeLogRequest {
		s.tail.requested(p.LogType, c.ID, int(p.TailLines), p.Follow, time.Now(), s.spoke)
	}
	s.inflight[c.ID] = handedOut{c.Claimed, c.ExpiresAt}
	s.sends <- message(c) // has room, and only this function sends
	return true
}

// answered moves a log request on when its first line came.
func (f *Fleet) answered(agentID string) func(string) {
	return func(commandID string) {
		f.move([]store.CommandUpdate{{ID: commandID, AgentID: agentID, State: store.CommandSucceeded, Result: "the agent sends lines"}})
	}
}

// Tail opens the log of an agent whose stream ends here. The reader gets the last lines and, as far as the agent
// follows, new ones. It reports whether new ones come.
func (f *Fleet) Tail(ctx context.Context, c store.Command) (*Reader, error) {
	f.mu.RLock()
	s := f.sessions[c.AgentID]
	f.mu.RUnlock()
	if s == nil {
		return nil, store.ErrNotFound
	}
	r, following, ok := s.tail.read(c.Parameters.LogType, int(c.Parameters.TailLines))
	if !ok {
		return nil, store.ErrNotFound
	}
	if following {
		return r, nil
	}
	if _, _, err := f.CreateCommand(ctx, c); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// arriving says that an agent is connected here and about to be written.
func (f *Fleet) arriving(agentID string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.sessions[agentID] != nil
}

// CreateCommand keeps a command for its agent, on whichever gateway that is.
func (f *Fleet) CreateCommand(ctx context.Context, c store.Command) (store.Command, bool, error) {
	if c.ExpiresIn == 0 {
		c.ExpiresIn = f.settings.CommandExpiry
	}
	made, isNew, err := f.store.CreateCommand(ctx, c)
	for tries := 0; errors.Is(err, store.ErrNotFound) && tries < 20 && f.arriving(c.AgentID); tries++ {
		pause(ctx, gather)
		made, isNew, err = f.store.CreateCommand(ctx, c)
	}
	if err == nil && isNew {
		signal(f.wake.claim)
	}
	return made, isNew, err
}

func message(c *store.Command) *agentv1.ServerCommand {
	p := &c.Parameters
	m := &agentv1.ServerCommand{CommandId: c.ID}
	switch c.Type {
	case store.TypeReload:
		m.Payload = &agentv1.ServerCommand_Action{Action: &agentv1.Action{Type: "RELOAD"}}
	case store.TypeRestart:
		m.Payload = &agentv1.ServerCommand_Action{Action: &agentv1.Action{Type: "RESTART"}}
	case store.TypeUpdate:
		m.Payload = &agentv1.ServerCommand_Update{Update: &agentv1.Update{Version: p.Version, UpdateUrl: p.URL}}
	case store.TypeConfigPush:
		m.Payload = &agentv1.ServerCommand_ConfigPush{ConfigPush: &agentv1.ConfigPush{VersionId: p.VersionID, Files: p.Files}}
	case store.TypeLogRequest:
		m.Payload = &agentv1.ServerCommand_LogRequest{LogRequest: &agentv1.LogRequest{
			InstanceId: c.AgentID, LogType: p.LogType, TailLines: p.TailLines, Follow: p.Follow,
		}}
	}
	return m
}

// CommandSent implements agentsession.Session.
func (s *session) CommandSent(commandID string, err error) {
	s.mu.Lock()
	_, known := s.inflight[commandID]
	update := s.giveBack(commandID)
	delete(s.inflight, commandID)
	s.mu.Unlock()
	if !known {
		return
	}
	if err == nil {
		update.State = store.CommandSent
	}
	s.fleet.move([]store.CommandUpdate{update})
}

// CommandResult implements agentsession.Session.
func (s *session) CommandResult(message *agentv1.CommandResult) {
	s.fleet.messages.Add(1)
	if s.fleet.moves.addResult(store.CommandUpdate{
		ID: clean(message.CommandId, maxText), AgentID: s.peer.AgentID,
		State: ifElse(message.Success, store.CommandSucceeded, store.CommandFailed), Result: clean(message.ErrorMessage, maxPath),
	}) {
		signal(s.fleet.wake.write)
		return
	}
	s.leaveOutResult()
}

// leaveOutResult says so once a stream.
func (s *session) leaveOutResult() {
	s.mu.Lock()
	first := !s.resultsLeftOut
	s.resultsLeftOut = true
	s.mu.Unlock()
	if first {
		s.fleet.logger.Warn("an agent sends more results of commands than are taken; the others are left out",
			zap.String("agent_id", s.peer.AgentID), zap.Int("waiting", maxMoves))
	}
}
