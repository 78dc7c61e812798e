package embedded

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// CreateCommand implements store.Store.
func (s *Store) CreateCommand(_ context.Context, c store.Command) (store.Command, bool, error) {
	made, holder, isNew, err := s.createCommand(c)
	if err == nil && isNew {
		s.notify(store.Notification{Incarnation: holder})
		s.notify(store.Notification{})
	}
	return made, isNew, err
}

func (s *Store) createCommand(c store.Command) (store.Command, int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(c.AgentID)
	if err != nil {
		return c, 0, false, err
	}
	for _, other := range r.commands {
		if c.IdempotencyKey != "" && other.IdempotencyKey == c.IdempotencyKey {
			return other.Command, 0, false, nil
		}
	}
	c.State, c.RequestedAt, c.ExpiresAt = store.CommandPending, s.clock(), s.clock().Add(c.ExpiresIn)
	kept := &command{Command: c}
	s.commands[c.ID] = kept
	r.commands = append(r.commands, kept)
	if len(r.commands) > maxCommands {
		s.dropCommand(r.commands[0])
	}
	kept.changed = s.touch(r)
	s.event(r, store.EventCommand, "", c.RequestedBy, c.Type+" "+c.ID)
	return c, r.live.Incarnation, true, nil
}

func (s *Store) dropCommand(c *command) {
	delete(s.commands, c.ID)
	if r, ok := s.agents[c.AgentID]; ok {
		r.commands = slices.DeleteFunc(r.commands, func(other *command) bool { return other == c })
		s.touch(r)
	}
}

func (s *Store) claimable(incarnation int64) []*command {
	var found []*command
	for _, c := range s.commands {
		if c.State != store.CommandPending || c.Claimed != 0 || s.clock().After(c.ExpiresAt) {
			continue
		}
		if r, err := s.get(c.AgentID); err == nil && r.live.Incarnation == incarnation && s.open(c.AgentID, r.live.Session) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *command) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return found
}

// Claim implements store.Store.
func (s *Store) Claim(_ context.Context, incarnation int64) ([]store.Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var claimed []store.Command
	for _, c := range s.claimable(incarnation) {
		r := s.agents[c.AgentID]
		c.Claimed, c.GatewayID = r.live.Session, r.live.GatewayID
		c.changed = s.touch(r)
		claimed = append(claimed, c.Command)
	}
	return claimed, nil
}

// UpdateCommands implements store.Store.
func (s *Store) UpdateCommands(_ context.Context, updates []store.CommandUpdate) error {
	s.mu.Lock()
	for _, u := range updates {
		if c, ok := s.commands[u.ID]; ok && c.AgentID == u.AgentID && (u.Claimed == 0 || u.Claimed == c.Claimed) && store.Transition(c.State, u.State) {
			s.move(c, u.State, u.Result)
		}
	}
	s.mu.Unlock()
	s.notify(store.Notification{})
	return nil
}

// move sets a state that the transition allows.
func (s *Store) move(c *command, state store.CommandState, result string) {
	now := s.clock()
	c.State, c.Result = state, result
	switch {
	case state == store.CommandPending:
		c.Claimed, c.GatewayID = 0, ""
	case state == store.CommandSent:
		c.SentAt = now
	case state.Finished():
		c.FinishedAt = now
		if c.SentAt.IsZero() && (state == store.CommandSucceeded || state == store.CommandFailed) {
			c.SentAt = now
		}
	}
	if r, ok := s.agents[c.AgentID]; ok {
		c.changed = s.touch(r)
		if state.Finished() {
			s.event(r, store.EventCommand, c.GatewayID, "", strings.TrimSpace(c.Type+" "+c.ID+" "+string(state)+" "+result))
		}
	}
}

// ConfirmUpdates implements store.Store.
func (s *Store) ConfirmUpdates(_ context.Context, agentID, version string) error {
	defer s.notify(store.Notification{})
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(agentID)
	if err != nil {
		return nil // removed meanwhile: its commands are gone too
	}
	for _, c := range r.commands {
		waits := c.State == store.CommandSent || c.State == store.CommandUnconfirmed || c.State == store.CommandPending && c.Claimed != 0
		if c.Type == store.TypeUpdate && waits && store.SameVersion(c.Parameters.Version, version) {
			s.move(c, store.CommandSucceeded, store.ReasonNewVersion+" "+version)
		}
	}
	return nil
}

// Commands implements store.Store.
func (s *Store) Commands(_ context.Context, agentID string, limit int) ([]store.Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(agentID)
	if err != nil {
		return nil, err
	}
	var commands []store.Command
	for _, c := range slices.Backward(r.commands) {
		if len(commands) < limit {
			commands = append(commands, c.Command)
		}
	}
	return commands, nil
}

// Command implements store.Store.
func (s *Store) Command(_ context.Context, id string) (store.Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.commands[id]; ok {
		return c.Command, nil
	}
	return store.Command{}, store.ErrNotFound
}

// PutBaseline implements store.Store.
func (s *Store) PutBaseline(_ context.Context, b store.Baseline) (store.Baseline, error) {
	s.mu.Lock()
	b.CreatedAt = s.clock().Truncate(time.Microsecond)
	b.Labels = maps.Clone(b.Labels)
	s.baselines[b.Name] = &b
	s.changedBaselines()
	s.mu.Unlock()
	s.notify(store.Notification{})
	return b, nil
}

// DeleteBaseline implements store.Store.
func (s *Store) DeleteBaseline(_ context.Context, name, _ string) error {
	s.mu.Lock()
	_, ok := s.baselines[name]
	delete(s.baselines, name)
	s.changedBaselines()
	s.mu.Unlock()
	if !ok {
		return store.ErrNotFound
	}
	s.notify(store.Notification{})
	return nil
}

func (s *Store) changedBaselines() {
	s.revision++
	if s.disk != nil {
		s.disk.mark(baselinesKey)
	}
}

// Baseline implements store.Store.
func (s *Store) Baseline(_ context.Context, name string) (store.Baseline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.baselines[name]; ok {
		return *b, nil
	}
	return store.Baseline{}, store.ErrNotFound
}
