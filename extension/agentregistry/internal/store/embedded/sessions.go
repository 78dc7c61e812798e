package embedded

import (
	"context"
	"slices"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// OpenSessions implements store.Store.
func (s *Store) OpenSessions(_ context.Context, incarnation int64, openings []store.Opening) ([]store.Opened, error) {
	s.mu.Lock()
	if !s.holds(incarnation) {
		s.mu.Unlock()
		return nil, store.ErrLeaseLost
	}
	opened := make([]store.Opened, len(openings))
	for i, opening := range openings {
		opened[i] = s.openSession(incarnation, opening)
	}
	s.mu.Unlock()
	s.notify(store.Notification{})
	return opened, nil
}

func (s *Store) openSession(incarnation int64, o store.Opening) store.Opened {
	r := s.enrol(o)
	if r.agent.Approval != store.Approved {
		return store.Opened{Approval: r.agent.Approval}
	}
	openedAt := s.clock().Add(-o.Age)
	if s.open(o.AgentID, r.live.Session) && r.live.OpenedAt.After(openedAt) {
		return store.Opened{Approval: store.Approved}
	}
	r.live = store.Liveness{
		AgentID: o.AgentID, Session: s.next(), Incarnation: incarnation, GatewayID: o.GatewayID, Address: o.Address,
		Authentication: o.Authentication, OpenedAt: openedAt, LastSeen: s.clock(), Rates: r.live.Rates,
	}
	r.liveAt = s.touch(r)
	s.event(r, store.EventConnected, o.GatewayID, "", o.Address)
	return store.Opened{Approval: store.Approved, Session: r.live.Session}
}

func (s *Store) enrol(o store.Opening) *record {
	r, known := s.agents[o.AgentID]
	if known && r.present {
		return r
	}
	if !known {
		r = &record{}
		s.agents[o.AgentID] = r
	}
	r.present = true
	r.agent = store.Agent{ID: o.AgentID, FirstSeen: s.clock(), Approval: o.Approval, Facts: store.Facts{Hostname: o.Hostname}}
	r.changed = s.touch(r)
	delete(s.removed, o.AgentID)
	s.event(r, store.EventEnrolled, o.GatewayID, "", string(o.Approval))
	return r
}

// CloseSessions implements store.Store.
func (s *Store) CloseSessions(_ context.Context, closings []store.Closing) error {
	s.mu.Lock()
	for _, c := range closings {
		r, err := s.get(c.AgentID)
		if err != nil || r.live.Session != c.Session || !r.live.ClosedAt.IsZero() {
			continue
		}
		r.live.ClosedAt = s.clock().Add(-c.Age)
		r.live.LastSeen = s.clock().Add(-c.SeenAge)
		r.liveAt = s.touch(r)
		s.event(r, store.EventDisconnected, r.live.GatewayID, "", c.Reason)
	}
	s.mu.Unlock()
	s.notify(store.Notification{})
	return nil
}

// Flush implements store.Store.
func (s *Store) Flush(_ context.Context, activities []store.Seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range activities {
		if r, err := s.get(a.AgentID); err == nil && r.live.Session == a.Session {
			r.live.LastSeen = s.clock().Add(-a.Age)
			r.live.Rates = slices.Clone(a.Rates)
			if s.disk != nil {
				s.disk.mark(a.AgentID)
			}
		}
	}
	return nil
}

// SaveFacts implements store.Store.
func (s *Store) SaveFacts(_ context.Context, updates []store.FactsUpdate) error {
	s.mu.Lock()
	for _, u := range updates {
		r, err := s.get(u.AgentID)
		if err != nil || r.live.Session != u.Session || s.newer(r.agent.FactsAt, u.At) {
			continue
		}
		r.agent.Facts, r.agent.FactsAt = u.Facts, u.At
		r.changed = s.touch(r)
		if u.Change != "" {
			s.event(r, store.EventFacts, r.live.GatewayID, "", u.Change)
		}
	}
	s.mu.Unlock()
	s.notify(store.Notification{})
	return nil
}

// SaveConfigs implements store.Store.
func (s *Store) SaveConfigs(_ context.Context, updates []store.ConfigUpdate) error {
	s.mu.Lock()
	for _, u := range updates {
		r, err := s.get(u.AgentID)
		if err != nil || r.live.Session != u.Session || s.newer(r.agent.ConfigAt, u.At) {
			continue
		}
		r.agent.Config, r.agent.ConfigAt, r.config = u.Summary, u.At, u.Config
		r.changed = s.touch(r)
		if u.Change != "" {
			s.event(r, store.EventConfig, r.live.GatewayID, "", u.Change)
		}
	}
	s.mu.Unlock()
	s.notify(store.Notification{})
	return nil
}

func (s *Store) newer(known, comes time.Time) bool { return store.Newer(known, comes, s.clock()) }

// Configs implements store.Store.
func (s *Store) Configs(_ context.Context, agentIDs []string) (map[string]store.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	configs := make(map[string]store.Config, len(agentIDs))
	for _, id := range agentIDs {
		if r, err := s.get(id); err == nil && r.agent.Config.Digest != "" {
			configs[id] = r.config
		}
	}
	return configs, nil
}

// Decide implements store.Store.
func (s *Store) Decide(_ context.Context, agentID string, d store.Decision) (store.Agent, error) {
	agent, err := s.decide(agentID, d)
	if err == nil {
		s.notify(store.Notification{})
	}
	return agent, err
}

func (s *Store) decide(agentID string, d store.Decision) (store.Agent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(agentID)
	if err != nil {
		return store.Agent{}, err
	}
	d.At = s.clock()
	r.agent.Approval, r.agent.Decision = d.Approval, &d
	r.changed = s.touch(r)
	s.event(r, string(d.Approval), "", d.By, d.Reason)
	return r.agent, nil
}

// Remove implements store.Store.
func (s *Store) Remove(_ context.Context, agentID, by string) error {
	s.mu.Lock()
	r, err := s.get(agentID)
	if err == nil {
		s.remove(r, by, "")
	}
	s.mu.Unlock()
	if err == nil {
		s.notify(store.Notification{})
	}
	return err
}

func (s *Store) remove(r *record, by, detail string) {
	s.removed[r.agent.ID] = s.touch(r)
	s.event(r, store.EventRemoved, r.live.GatewayID, by, detail)
	r.present, r.live, r.config = false, store.Liveness{}, store.Config{}
	for _, c := range slices.Clone(r.commands) {
		s.dropCommand(c)
	}
}

// History implements store.Store.
func (s *Store) History(_ context.Context, agentID string, limit int, before int64) ([]store.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []store.Event
	for id, r := range s.agents {
		if agentID != "" && id != agentID {
			continue
		}
		for _, e := range r.history {
			if before == 0 || e.ID < before {
				events = append(events, e)
			}
		}
	}
	slices.SortFunc(events, func(a, b store.Event) int { return int(b.ID - a.ID) })
	return events[:min(limit, len(events))], nil
}
