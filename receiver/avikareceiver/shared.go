package avikareceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"
)

// receivers holds the receivers that exist. The service creates one component per signal; those with the same
// configuration share one server.
var receivers = registry{shared: map[*Config]*shared{}}

type registry struct {
	mu     sync.Mutex
	shared map[*Config]*shared
}

// shared is what the service starts and stops once per signal, for one receiver.
type shared struct {
	receiver *avikaReceiver
	remove   func()

	start, stop sync.Once
	startErr    error
	stopErr     error
}

func (r *registry) get(cfg *Config, set receiver.Settings) (*shared, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.shared[cfg]; ok {
		return s, nil
	}
	created, err := newReceiver(cfg, set)
	if err != nil {
		return nil, err
	}
	s := &shared{receiver: created, remove: func() { r.remove(cfg) }}
	r.shared[cfg] = s
	return s, nil
}

func (r *registry) remove(cfg *Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.shared, cfg)
}

// Start starts the receiver with the first signal that is started. All signals have been created by then.
func (s *shared) Start(ctx context.Context, host component.Host) error {
	s.start.Do(func() { s.startErr = s.receiver.start(ctx, host) })
	return s.startErr
}

// Shutdown stops the receiver with the first signal that is stopped. It may be called without Start, and twice.
func (s *shared) Shutdown(ctx context.Context) error {
	s.stop.Do(func() {
		s.stopErr = s.receiver.shutdown(ctx)
		s.remove()
	})
	return s.stopErr
}
