package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Events that watchers receive, besides store.Command and Database.
type (
	// ChangedAgents are agents that are new or changed.
	ChangedAgents []State
	// RemovedAgents are ids of agents that are gone.
	RemovedAgents []string
	// ActiveAgents are agents of which only last seen and rate changed.
	ActiveAgents []State
	// ChangedGateways are all gateways.
	ChangedGateways []store.Gateway
	// Missed says that the watcher was too slow and events were left out.
	Missed struct{}
)

const (
	mergeChanges = 250 * time.Millisecond
	watcherQueue = 64
)

// hub tells watchers what changes. Without watchers it costs nothing.
type hub struct {
	fleet *Fleet

	mu       sync.Mutex
	watchers map[*Watcher]struct{}
	changed  map[string]struct{}
	active   map[string]struct{}
	commands map[string]store.CommandState
	ticks    int
	closed   bool
}

// Watcher receives events until it is closed.
type Watcher struct {
	hub    *hub
	events chan any
	missed bool
}

// Watch starts a watcher. The caller closes it.
func (f *Fleet) Watch() *Watcher {
	w := &Watcher{hub: &f.hub, events: make(chan any, watcherQueue)}
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if f.hub.closed {
		close(w.events)
		return w
	}
	if f.hub.watchers == nil {
		f.hub.watchers, f.hub.changed, f.hub.active = map[*Watcher]struct{}{}, map[string]struct{}{}, map[string]struct{}{}
		f.hub.commands = map[string]store.CommandState{}
	}
	f.hub.watchers[w] = struct{}{}
	return w
}

// Events is closed when the fleet stops.
func (w *Watcher) Events() <-chan any { return w.events }

// Close ends the watcher.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.hub.watchers, w)
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.watchers {
		close(w.events)
		delete(h.watchers, w)
	}
}

// agent notes that an agent changed.
func (h *hub) agent(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) > 0 {
		h.changed[id] = struct{}{}
	}
}

// activity notes that an agent was seen.
func (h *hub) activity(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) > 0 {
		h.active[id] = struct{}{}
	}
}

func (h *hub) databaseChanged() {
	h.publish(h.fleet.DatabaseState())
}

// synced passes on what came from the store besides agents.
func (h *hub) synced(changes store.Changes) {
	for _, c := range changes.Commands {
		if h.news(&c) {
			h.publish(c)
		}
	}
	h.publish(ChangedGateways(changes.Gateways))
}

// news says whether the command's state was not told yet, as changes may come twice.
func (h *hub) news(c *store.Command) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) == 0 || h.commands[c.ID] == c.State {
		return false
	}
	if len(h.commands) > 10_000 {
		clear(h.commands)
	}
	h.commands[c.ID] = c.State
	return true
}

func (h *hub) loop(ctx context.Context) {
	every(ctx, mergeChanges, func() {
		changed, active := h.take()
		if len(changed) > 0 {
			states, removed := h.fleet.lookup(changed)
			if len(states) > 0 {
				h.publish(ChangedAgents(states))
			}
			if len(removed) > 0 {
				h.publish(RemovedAgents(removed))
			}
		}
		if states, _ := h.fleet.lookup(active); len(states) > 0 {
			h.publish(ActiveAgents(states))
		}
	})
}

// take returns what to tell now: changes each time, activity every RateInterval.
func (h *hub) take() (changed, active map[string]struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed, h.changed = h.changed, make(map[string]struct{})
	if h.ticks++; h.ticks >= int(RateInterval/mergeChanges) {
		h.ticks = 0
		active, h.active = h.active, make(map[string]struct{})
	}
	return changed, active
}

// lookup returns the present state of agents, and those that are not there any more.
func (f *Fleet) lookup(ids map[string]struct{}) (states []State, missing []string) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for id := range ids {
		if e, ok := f.entries[id]; ok {
			states = append(states, f.state(e))
		} else {
			missing = append(missing, id)
		}
	}
	return states, missing
}

func (h *hub) publish(event any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		w.offer(event)
	}
}

// offer never waits. The hub's lock is held.
func (w *Watcher) offer(event any) {
	if w.missed {
		select {
		case w.events <- Missed{}:
			w.missed = false
		default:
			return
		}
	}
	select {
	case w.events <- event:
	default:
		w.missed = true
	}
}
