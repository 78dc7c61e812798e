package fleet

import (
	"cmp"
	"slices"
	"strings"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Filter says which agents. Empty fields let all pass.
type Filter struct {
	Online   *bool
	Approval store.Approval
	Drift    string
	Baseline string
	Gateway  string
	Labels   []LabelFilter
	// Text is looked for in ids, names, addresses, versions and labels, whatever the case.
	Text string
}

// LabelFilter holds when the label has the value; with Not, when it has not; with Any, when it exists.
type LabelFilter struct {
	Key, Value string
	Not, Any   bool
}

func (l *LabelFilter) holds(labels map[string]string) bool {
	value, ok := labels[l.Key]
	if l.Any {
		return ok
	}
	return (ok && value == l.Value) != l.Not
}

// Page is a part of a sorted list.
type Page struct {
	Sort       string
	Descending bool
	Limit      int
	Offset     int
}

// Counts are the fleet in numbers.
type Counts struct {
	Total, Online, Offline, Pending, Revoked, Drifted int
}

// List returns a page of the agents that pass, and how many pass.
func (f *Fleet) List(filter Filter, page Page) ([]State, int) {
	filter.Text = strings.ToLower(filter.Text)
	matches := f.matching(&filter)
	order := orders[page.Sort]
	slices.SortFunc(matches, func(a, b *State) int {
		c := 0
		if order != nil {
			c = order(a, b)
		}
		if page.Descending {
			c = -c
		}
		return cmp.Or(c, strings.Compare(a.ID, b.ID))
	})
	total := len(matches)
	start := min(page.Offset, total)
	matches = matches[start:min(start+page.Limit, total)]
	states := make([]State, len(matches))
	for i, s := range matches {
		states[i] = *s
	}
	return states, total
}

// matching returns pointers, as states are large and sorting moves them a lot.
func (f *Fleet) matching(filter *Filter) []*State {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var matches []*State
	for _, e := range f.entries {
		if !filter.passesEntry(e) {
			continue
		}
		if s := f.state(e); filter.passesState(&s) {
			matches = append(matches, &s)
		}
	}
	return matches
}

// passesEntry is the cheap part.
func (filter *Filter) passesEntry(e *entry) bool {
	if filter.Approval != "" && filter.Approval != e.agent.Approval || filter.Text != "" && !strings.Contains(e.text, filter.Text) {
		return false
	}
	for i := range filter.Labels {
		if !filter.Labels[i].holds(e.agent.Facts.Labels) {
			return false
		}
	}
	return true
}

func (filter *Filter) passesState(s *State) bool {
	return (filter.Online == nil || *filter.Online == s.Online) &&
		(filter.Drift == "" || filter.Drift == s.Drift) && (filter.Baseline == "" || filter.Baseline == s.Baseline) &&
		(filter.Gateway == "" || filter.Gateway == s.Live.GatewayID)
}

// orders are the ways to sort, by the name a client uses. By id needs none.
var orders = map[string]func(a, b *State) int{
	"id":            nil,
	"hostname":      func(a, b *State) int { return strings.Compare(a.Facts.Hostname, b.Facts.Hostname) },
	"status":        func(a, b *State) int { return boolean(a.Online) - boolean(b.Online) },
	"since":         func(a, b *State) int { return a.Since.Compare(b.Since) },
	"last_seen":     func(a, b *State) int { return a.Live.LastSeen.Compare(b.Live.LastSeen) },
	"nginx_version": func(a, b *State) int { return strings.Compare(a.Facts.NginxVersion, b.Facts.NginxVersion) },
	"agent_version": func(a, b *State) int { return strings.Compare(a.Facts.AgentVersion, b.Facts.AgentVersion) },
	"gateway":       func(a, b *State) int { return strings.Compare(a.Live.GatewayID, b.Live.GatewayID) },
	"approval":      func(a, b *State) int { return cmp.Compare(a.Approval, b.Approval) },
	"drift":         func(a, b *State) int { return strings.Compare(a.Drift, b.Drift) },
	"rate": func(a, b *State) int {
		x, _ := a.Rate()
		y, _ := b.Rate()
		return cmp.Compare(x, y)
	},
}

// Sortable says whether lists can be sorted by this name.
func Sortable(name string) bool {
	_, ok := orders[name]
	return ok
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Get returns one agent.
func (f *Fleet) Get(agentID string) (State, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	e, ok := f.entries[agentID]
	if !ok {
		return State{}, false
	}
	return f.state(e), true
}

// Count counts the fleet.
func (f *Fleet) Count() Counts {
	f.mu.RLock()
	defer f.mu.RUnlock()
	c := Counts{Total: len(f.entries)}
	for _, e := range f.entries {
		online, _ := f.online(e)
		c.Online += boolean(online)
		c.Pending += boolean(e.agent.Approval == store.Pending)
		c.Revoked += boolean(e.agent.Approval == store.Revoked)
		drift, _ := f.drift(e)
		c.Drifted += boolean(drift == Drifted)
	}
	c.Offline = c.Total - c.Online
	return c
}

// Gateways returns all gateways, with what is left of their leases now.
func (f *Fleet) Gateways() []store.Gateway {
	f.mu.RLock()
	defer f.mu.RUnlock()
	gateways := make([]store.Gateway, 0, len(f.gateways))
	for _, g := range f.gateways {
		if g.LeaseLeft > 0 && f.database.State == Connected {
			g.LeaseLeft = max(g.expires.Sub(f.now()), 0)
		}
		gateways = append(gateways, g.Gateway)
	}
	return gateways
}

// GatewayAddress returns the gateway that holds the agent and where to reach it; local when it is this one.
func (f *Fleet) GatewayAddress(agentID string) (id, address string, local, online bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	e, ok := f.entries[agentID]
	if !ok {
		return "", "", false, false
	}
	if e.local != nil {
		return f.settings.GatewayID, "", true, true
	}
	if is, _ := f.online(e); !is {
		return e.live.GatewayID, "", false, false
	}
	for i := range f.gateways {
		if f.gateways[i].Incarnation == e.live.Incarnation {
			return f.gateways[i].ID, f.gateways[i].Address, false, true
		}
	}
	return e.live.GatewayID, "", false, false
}

// CountBaseline returns to how many agents a baseline applies, and how many of them differ.
func (f *Fleet) CountBaseline(name string) (agents, drifted int) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, e := range f.entries {
		if state, baseline := f.drift(e); baseline == name {
			agents++
			drifted += boolean(state == Drifted)
		}
	}
	return agents, drifted
}

// Incarnation is the number of this run; 0 before the store was reached.
func (f *Fleet) Incarnation() int64 { return f.currentIncarnation() }

// Refresh asks the store for changes soon.
func (f *Fleet) Refresh() { signal(f.wake.sync) }

// LocalAgents is how many agents' streams end here.
func (f *Fleet) LocalAgents() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.sessions)
}

// Messages counts what agents reported.
func (f *Fleet) Messages() int64 { return f.messages.Load() }
