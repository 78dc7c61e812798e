package embedded

import (
	"context"
	"sort"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Sync implements store.Store.
func (s *Store) Sync(_ context.Context, request store.SyncRequest) (store.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if request.Lease > 0 {
		if !s.holds(request.Incarnation) {
			return store.Changes{}, store.ErrLeaseLost
		}
		g := s.gateways[request.Incarnation]
		g.expires, g.Load = s.clock().Add(request.Lease), request.Load
	}
	changes := store.Changes{
		Cursor: s.revision + 1, Now: s.clock(), Full: request.Cursor == 0,
		Gateways: s.listGateways(), Baselines: s.listBaselines(),
	}
	s.collect(&changes, request.Cursor)
	changes.Claimable = len(s.claimable(request.Incarnation)) > 0
	return changes, nil
}

// collect adds what changed at the cursor or later.
func (s *Store) collect(changes *store.Changes, cursor store.Cursor) {
	for _, r := range s.agents {
		if !r.present {
			continue
		}
		if r.changed >= cursor {
			changes.Agents = append(changes.Agents, r.agent)
		}
		if r.liveAt >= cursor && r.live.Session != 0 {
			changes.Liveness = append(changes.Liveness, r.live)
		}
	}
	for id, at := range s.removed {
		if at >= cursor {
			changes.Removed = append(changes.Removed, id)
		}
	}
	if cursor == 0 {
		return
	}
	for _, c := range s.commands {
		if c.changed >= cursor {
			changes.Commands = append(changes.Commands, c.Command)
		}
	}
}

func (s *Store) listGateways() []store.Gateway {
	gateways := make([]store.Gateway, 0, len(s.gateways))
	for _, g := range s.gateways {
		g.LeaseLeft = g.expires.Sub(s.clock())
		gateways = append(gateways, g.Gateway)
	}
	sort.Slice(gateways, func(i, j int) bool { return gateways[i].Incarnation < gateways[j].Incarnation })
	return gateways
}

func (s *Store) listBaselines() []store.Baseline {
	baselines := make([]store.Baseline, 0, len(s.baselines))
	for _, b := range s.baselines {
		without := *b
		without.Files = nil
		baselines = append(baselines, without)
	}
	sort.Slice(baselines, func(i, j int) bool { return baselines[i].Name < baselines[j].Name })
	return baselines
}

// Activities implements store.Store.
func (s *Store) Activities(context.Context) ([]store.Activity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	activities := make([]store.Activity, 0, len(s.agents))
	for id, r := range s.agents {
		if r.present && r.live.Session != 0 {
			activities = append(activities, store.Activity{AgentID: id, Session: r.live.Session, LastSeen: r.live.LastSeen, Rates: r.live.Rates})
		}
	}
	return activities, nil
}

// Sweep implements store.Store.
func (s *Store) Sweep(_ context.Context, policy store.SweepPolicy) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	for incarnation, g := range s.gateways {
		if now.After(g.expires) {
			s.endSessions(g, g.expires, store.EventGatewayLost, "the gateway's lease ran out")
			delete(s.gateways, incarnation)
			s.revision++
		}
	}
	s.sweepCommands(now, policy)
	s.sweepAgents(now, policy)
	return nil
}

func (s *Store) sweepCommands(now time.Time, policy store.SweepPolicy) {
	for _, c := range s.commands {
		switch {
		case c.State == store.CommandPending && c.Claimed != 0 && !s.open(c.AgentID, c.Claimed):
			s.move(c, store.CommandUnconfirmed, store.ReasonGatewayLost)
		case c.State == store.CommandPending && c.Claimed != 0 && now.After(c.ExpiresAt):
			s.move(c, store.CommandUnconfirmed, store.ReasonNotTaken)
		case c.State == store.CommandPending && c.Claimed == 0 && now.After(c.ExpiresAt):
			s.move(c, store.CommandExpired, store.ReasonExpired)
		case c.State == store.CommandSent && c.Type == store.TypeUpdate && now.Sub(c.SentAt) > policy.ConfirmUpdate:
			s.move(c, store.CommandUnconfirmed, store.ReasonNoVersion)
		case c.State == store.CommandSent && c.Type != store.TypeUpdate && now.Sub(c.SentAt) > policy.Confirm:
			s.move(c, store.CommandUnconfirmed, store.ReasonNoResult)
		case c.State.Finished() && policy.HistoryRetention > 0 && now.Sub(c.FinishedAt) > policy.HistoryRetention:
			s.dropCommand(c)
		}
	}
}

// open says whether the session is the agent's newest and its gateway alive.
func (s *Store) open(agentID string, session int64) bool {
	r, err := s.get(agentID)
	return err == nil && r.live.Session == session && r.live.ClosedAt.IsZero() && s.holds(r.live.Incarnation)
}

func (s *Store) sweepAgents(now time.Time, policy store.SweepPolicy) {
	for id, r := range s.agents {
		if r.present && policy.AgentRetention > 0 && r.agent.Approval != store.Revoked && now.Sub(r.offlineSince()) > policy.AgentRetention {
			s.remove(r, "", "offline longer than the retention")
		}
		r.history = keepAfter(r.history, now.Add(-policy.HistoryRetention), policy)
		if !r.present && len(r.history) == 0 {
			delete(s.agents, id)
			s.touch(r)
		}
	}
	for id, at := range s.removed {
		if s.revision-at > 100_000 {
			delete(s.removed, id)
		}
	}
}

// offlineSince is the end of the last session; the future for one that is open.
func (r *record) offlineSince() time.Time {
	switch {
	case r.live.Session == 0:
		return r.agent.FirstSeen
	case r.live.ClosedAt.IsZero():
		return time.Unix(1<<40, 0)
	}
	return r.live.ClosedAt
}

func keepAfter(events []store.Event, oldest time.Time, policy store.SweepPolicy) []store.Event {
	first := 0
	if policy.HistoryRetention > 0 {
		first = sort.Search(len(events), func(i int) bool { return events[i].At.After(oldest) })
	}
	if policy.HistoryPerAgent > 0 {
		first = max(first, len(events)-policy.HistoryPerAgent)
	}
	if first == 0 {
		return events
	}
	return append([]store.Event(nil), events[first:]...)
}
