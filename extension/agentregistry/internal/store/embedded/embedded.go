// Package embedded keeps the registry in memory, for one gateway, and across restarts through a collector storage extension.
package embedded

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// maxHistory and maxCommands bound what is kept of one agent.
const (
	maxHistory  = 500
	maxCommands = 100
)

// Store is the embedded backend.
type Store struct {
	clock func() time.Time
	disk  *disk

	mu        sync.Mutex
	sequence  int64 // numbers of incarnations, sessions and events
	revision  store.Cursor
	gateways  map[int64]*gateway
	agents    map[string]*record
	removed   map[string]store.Cursor
	commands  map[string]*command
	baselines map[string]*store.Baseline
	listeners map[int]func(store.Notification)
	nextID    int
}

// record is all that is kept of one agent. What was removed keeps its history.
type record struct {
	present  bool
	agent    store.Agent
	changed  store.Cursor
	config   store.Config
	live     store.Liveness
	liveAt   store.Cursor
	history  []store.Event
	commands []*command
}

type command struct {
	store.Command
	changed store.Cursor
}

type gateway struct {
	store.Gateway
	expires time.Time
}

var _ store.Store = (*Store)(nil)

// Open loads what the client has kept. The store closes the client, and reports writes that failed; they are tried again.
// A nil client keeps nothing.
func Open(ctx context.Context, client storage.Client, report func(error)) (*Store, error) {
	s := New()
	if client == nil {
		return s, nil
	}
	s.disk = newDisk(client, report)
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	s.disk.start(s.snapshot)
	return s, nil
}

// New returns an empty store that keeps nothing on disk.
func New() *Store {
	return &Store{
		clock:     time.Now,
		gateways:  map[int64]*gateway{},
		agents:    map[string]*record{},
		removed:   map[string]store.Cursor{},
		commands:  map[string]*command{},
		baselines: map[string]*store.Baseline{},
		listeners: map[int]func(store.Notification){},
	}
}

// Join implements store.Store.
func (s *Store) Join(_ context.Context, g store.Gateway, lease time.Duration) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.Incarnation = s.next()
	g.StartedAt = s.clock()
	s.gateways[g.Incarnation] = &gateway{Gateway: g, expires: s.clock().Add(lease)}
	s.revision++
	return g.Incarnation, nil
}

// Leave implements store.Store.
func (s *Store) Leave(_ context.Context, incarnation int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.gateways[incarnation]; ok {
		s.endSessions(g, s.clock(), store.EventDisconnected, "the gateway stopped")
		delete(s.gateways, incarnation)
		s.revision++
	}
	return nil
}

// endSessions closes what a gateway still holds.
func (s *Store) endSessions(g *gateway, at time.Time, kind, detail string) {
	for _, r := range s.agents {
		if r.present && r.live.Incarnation == g.Incarnation && r.live.Session != 0 && r.live.ClosedAt.IsZero() {
			r.live.ClosedAt = at
			r.liveAt = s.touch(r)
			s.event(r, kind, g.ID, "", detail)
		}
	}
}

// Listen implements store.Store. Notifications are sent after each change that others should see at once.
func (s *Store) Listen(ctx context.Context, notify func(store.Notification)) error {
	s.mu.Lock()
	id := s.nextID
	s.nextID++
	s.listeners[id] = notify
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	delete(s.listeners, id)
	s.mu.Unlock()
	return ctx.Err()
}

// Close implements store.Store.
func (s *Store) Close(ctx context.Context) error {
	if s.disk == nil {
		return nil
	}
	return s.disk.close(ctx, s.snapshot)
}

func (s *Store) next() int64 {
	s.sequence++
	return s.sequence
}

// touch counts a change and has the agent written to disk.
func (s *Store) touch(r *record) store.Cursor {
	s.revision++
	if s.disk != nil {
		s.disk.mark(r.agent.ID)
	}
	return s.revision
}

func (s *Store) event(r *record, kind, gatewayID, by, detail string) {
	r.history = append(r.history, store.Event{
		ID: s.next(), AgentID: r.agent.ID, At: s.clock(), Kind: kind, GatewayID: gatewayID, By: by, Detail: detail,
	})
	if extra := len(r.history) - maxHistory; extra > 0 {
		r.history = append(r.history[:0:0], r.history[extra:]...)
	}
}

// notify calls the listeners without the lock, so that they may come back with a question.
func (s *Store) notify(n store.Notification) {
	s.mu.Lock()
	listeners := make([]func(store.Notification), 0, len(s.listeners))
	for _, l := range s.listeners {
		listeners = append(listeners, l)
	}
	s.mu.Unlock()
	for _, l := range listeners {
		l(n)
	}
}

// get returns the record of an agent that is present.
func (s *Store) get(agentID string) (*record, error) {
	if r, ok := s.agents[agentID]; ok && r.present {
		return r, nil
	}
	return nil, store.ErrNotFound
}

func (s *Store) holds(incarnation int64) bool {
	g, ok := s.gateways[incarnation]
	return ok && s.clock().Before(g.expires)
}
