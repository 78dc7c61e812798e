package fleet

import (
	"net"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// entry is one agent in this gateway's copy.
type entry struct {
	agent store.Agent
	live  store.Liveness
	// local is the session of this gateway that speaks for the agent; nil when another gateway's does, or none.
	local *session
	// ended is the session that ended here at endedAt, until the store says the same.
	ended   int64
	endedAt time.Time
	// storedFactsAt is FactsAt as the store has it.
	storedFactsAt time.Time
	rates         []float32
	opens         opens
	text          string // lower case, for searching
}

// State is what a user sees of an agent. It is a copy; maps and slices in it are shared and must not be changed.
type State struct {
	store.Agent
	Live     store.Liveness
	Online   bool
	Since    time.Time
	Drift    string
	Baseline string
	Rates    []float32
}

// Rate is the newest rate, if there is one.
func (s *State) Rate() (float32, bool) {
	if !s.Online || len(s.Rates) == 0 {
		return 0, false
	}
	return s.Rates[len(s.Rates)-1], true
}

// Host is the address without the port.
func (s *State) Host() string {
	host, _, err := net.SplitHostPort(s.Live.Address)
	if err != nil {
		return s.Live.Address
	}
	return host
}

// state says what a user sees. The fleet's lock is held.
func (f *Fleet) state(e *entry) State {
	s := State{Agent: e.agent, Live: e.live, Rates: e.rates}
	s.Online, s.Since = f.online(e)
	if e.local != nil {
		e.local.describe(&s.Live, f.now())
		s.Rates = e.local.currentRates()
	}
	s.Drift, s.Baseline = f.drift(e)
	return s
}

// online says whether the agent is online and since when it is what it is.
func (f *Fleet) online(e *entry) (bool, time.Time) {
	switch {
	case e.local != nil:
		return true, e.local.openedAt(f.now())
	case e.live.Session == 0:
		return false, e.agent.FirstSeen
	case !e.live.ClosedAt.IsZero():
		return false, e.live.ClosedAt
	case e.live.Session == e.ended:
		return false, e.endedAt
	}
	for i := range f.gateways {
		if g := &f.gateways[i]; g.Incarnation == e.live.Incarnation {
			return g.LeaseLeft > 0, ifElse(g.LeaseLeft > 0, e.live.OpenedAt, g.expires)
		}
	}
	return false, e.live.LastSeen // its gateway is long gone
}

func ifElse[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}

// index renews the text that searches look at.
func (e *entry) index() {
	facts := &e.agent.Facts
	parts := []string{e.agent.ID, facts.Hostname, e.live.Address, facts.NginxVersion, facts.AgentVersion, facts.PodIP}
	for key, value := range facts.Labels {
		parts = append(parts, key+"="+value)
	}
	e.text = strings.ToLower(strings.Join(parts, "\n"))
}

// entryOf returns the agent's entry, making one for an agent that the store has not told of yet.
func (f *Fleet) entryOf(agentID, hostname string) *entry {
	e, ok := f.entries[agentID]
	if !ok {
		e = &entry{agent: store.Agent{ID: agentID, FirstSeen: f.now(), Approval: store.Approved, Facts: store.Facts{Hostname: hostname}}}
		e.index()
		f.entries[agentID] = e
	}
	return e
}

// apply takes changes from the store, and returns the agents that look different now.
func (f *Fleet) apply(changes store.Changes, asked time.Time) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	judged := f.judgedAnew(&changes)
	f.offset = changes.Now.Sub(f.settings.Clock().Add(-time.Since(asked) / 2))
	f.loaded, f.cursor, f.baselines = true, changes.Cursor, changes.Baselines
	var changed []string
	if changes.Full {
		changed = f.forgetMissing(changes.Agents)
	}
	for i := range changes.Agents {
		changed = append(changed, changes.Agents[i].ID)
		f.applyAgent(&changes.Agents[i])
	}
	for i := range changes.Liveness {
		changed = append(changed, changes.Liveness[i].AgentID)
		f.applyLiveness(&changes.Liveness[i])
	}
	for _, id := range changes.Removed {
		f.applyRemoved(id)
		changed = append(changed, id)
	}
	return append(append(changed, f.applyGateways(changes)...), judged()...)
}

// forgetMissing drops agents that the store does not know, but not those that are about to be written.
func (f *Fleet) forgetMissing(known []store.Agent) []string {
	present := make(map[string]bool, len(known))
	for s := range f.ending {
		present[s.peer.AgentID] = true
	}
	for i := range known {
		present[known[i].ID] = true
	}
	var gone []string
	for id, e := range f.entries {
		if !present[id] && e.local == nil {
			delete(f.entries, id)
			gone = append(gone, id)
		}
	}
	return gone
}

func (f *Fleet) applyAgent(a *store.Agent) {
	e := f.entryOf(a.ID, a.Facts.Hostname)
	e.storedFactsAt = a.FactsAt
	if e.local != nil && e.agent.FactsAt.After(a.FactsAt) {
		a.Facts, a.FactsAt = e.agent.Facts, e.agent.FactsAt // not written yet
	}
	if e.local != nil && e.agent.ConfigAt.After(a.ConfigAt) {
		a.Config, a.ConfigAt = e.agent.Config, e.agent.ConfigAt
	}
	e.agent = *a
	e.index()
	f.enforce(e)
}

func (f *Fleet) applyLiveness(live *store.Liveness) {
	e := f.entryOf(live.AgentID, "")
	if live.Session < e.live.Session {
		return // an older answer
	}
	if live.Session > e.live.Session && !f.own[live.Incarnation] && live.ClosedAt.IsZero() {
		e.opens.add(live.OpenedAt)
	}
	e.live = *live
	if len(e.rates) == 0 {
		e.rates = live.Rates
	}
	e.index()
	f.supersede(e)
}

func (f *Fleet) applyRemoved(id string) {
	e, ok := f.entries[id]
	if !ok {
		return
	}
	f.endSessions(id, errRemoved)
	if e.local == nil {
		delete(f.entries, id)
	}
}

// applyGateways returns the agents whose status depends on a gateway that came or went.
func (f *Fleet) applyGateways(changes store.Changes) []string {
	turned := map[int64]bool{}
	for i := range f.gateways {
		turned[f.gateways[i].Incarnation] = f.gateways[i].LeaseLeft > 0
	}
	f.gateways = f.gateways[:0:0]
	for _, g := range changes.Gateways {
		f.gateways = append(f.gateways, gateway{Gateway: g, expires: changes.Now.Add(g.LeaseLeft)})
		if turned[g.Incarnation] == (g.LeaseLeft > 0) {
			delete(turned, g.Incarnation)
		} else {
			turned[g.Incarnation] = true
		}
	}
	var changed []string
	for id, e := range f.entries {
		if _, ok := turned[e.live.Incarnation]; ok && e.local == nil {
			changed = append(changed, id)
		}
	}
	return changed
}

// applyActivities takes last seen and rates of agents at other gateways.
func (f *Fleet) applyActivities(activities []store.Activity) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range activities {
		a := &activities[i]
		e, ok := f.entries[a.AgentID]
		if ok && e.local == nil && e.live.Session == a.Session && !a.LastSeen.Equal(e.live.LastSeen) {
			e.live.LastSeen, e.rates = a.LastSeen, a.Rates
			f.hub.activity(a.AgentID)
		}
	}
}
