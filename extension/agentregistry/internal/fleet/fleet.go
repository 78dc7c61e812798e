// Package fleet is the registry's own view of all agents: sessions of the streams that end at this gateway, a copy of what
// the store knows of all others, and the loops that keep both together.
//
// Nothing here waits for the store but the loops. What cannot be written stays marked and is written when the store is back.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Settings are the parts of the configuration that the fleet needs.
type Settings struct {
	GatewayID string
	// Address is where other gateways reach this one's HTTP server.
	Address string
	Version string
	// RequireApproval refuses agents until somebody approved them.
	RequireApproval bool
	// MaxAgents is how many agents may be known before new ones are refused; 0: no bound.
	MaxAgents int

	Lease         time.Duration
	Renew         time.Duration
	Poll          time.Duration
	FlushInterval time.Duration
	SweepInterval time.Duration
	// OperationTimeout bounds one call of the store.
	OperationTimeout time.Duration
	CommandExpiry    time.Duration
	Policy           store.SweepPolicy
	// Clock is this machine's; nil: time.Now. It may be wrong: only its steps matter, and only between two syncs.
	Clock func() time.Time
}

// RateInterval is the time between two points of an agent's rates, and ratePoints how many are shared.
const (
	RateInterval = 5 * time.Second
	ratePoints   = 12
)

// DatabaseState says whether the store answers.
type DatabaseState string

const (
	Connecting  DatabaseState = "connecting"
	Connected   DatabaseState = "connected"
	Unavailable DatabaseState = "unavailable"
)

// Database is the state of the store.
type Database struct {
	State DatabaseState
	Since time.Time
	Err   error
}

// Fleet holds all agents.
type Fleet struct {
	settings Settings
	store    store.Store
	logger   *zap.Logger
	report   func(Database)
	load     func() store.Load

	ctx    context.Context
	cancel context.CancelFunc
	loops  sync.WaitGroup
	wake   struct{ sync, write, claim chan struct{} }

	messages atomic.Int64
	hub      hub

	mu          sync.RWMutex
	incarnation int64
	leasesLost  int64
	// own are all incarnations that this gateway had.
	own map[int64]bool
	// offset is the store's clock less this machine's.
	offset    time.Duration
	loaded    bool
	cursor    store.Cursor
	database  Database
	entries   map[string]*entry
	gateways  []gateway
	baselines []store.Baseline
	// sessions are the newest local ones by agent; ending are closed ones whose end is not written yet.
	sessions map[string]*session
	ending   map[*session]struct{}
	older    map[*session]struct{}
	moves    moves
	enrol    map[string]store.Opening
	confirm  map[string]string
}

// gateway is a gateway as of the last time the store told of it.
type gateway struct {
	store.Gateway
	// expires is by the store's clock.
	expires time.Time
}

// New returns a fleet that is not running. report is told when the store's state changes, load is asked for this gateway's.
func New(settings Settings, backend store.Store, logger *zap.Logger, report func(Database), load func() store.Load) *Fleet {
	if settings.Clock == nil {
		settings.Clock = time.Now
	}
	f := &Fleet{
		settings: settings, store: backend, logger: logger, report: report, load: load,
		own: map[int64]bool{}, entries: map[string]*entry{}, sessions: map[string]*session{}, ending: map[*session]struct{}{},
		older: map[*session]struct{}{}, enrol: map[string]store.Opening{}, confirm: map[string]string{},
		database: Database{State: Connecting, Since: settings.Clock()},
	}
	f.wake.sync, f.wake.write, f.wake.claim = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	f.hub.fleet = f
	return f
}

// Start begins the loops. It does not wait for the store.
func (f *Fleet) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.ctx, f.cancel = ctx, cancel
	for _, loop := range []func(context.Context){f.syncLoop, f.writeLoop, f.claimLoop, f.flushLoop, f.sweepLoop, f.listenLoop, f.sampleLoop, f.hub.loop} {
		f.loops.Go(func() { loop(ctx) })
	}
}

// Shutdown ends all sessions, writes what is left and stops. It may be called twice, and without Start.
func (f *Fleet) Shutdown(ctx context.Context) error {
	if f.cancel == nil {
		return nil
	}
	f.endAll()
	f.cancel()
	f.cancel = nil
	f.loops.Wait()
	f.hub.close()
	ctx, cancel := context.WithTimeout(ctx, f.settings.OperationTimeout)
	defer cancel()
	if f.DatabaseState().State != Connected {
		return nil // the lease runs out by itself
	}
	err := f.write(ctx)
	if err == nil {
		err = f.store.Leave(ctx, f.currentIncarnation())
	}
	if errors.Is(err, store.ErrUnavailable) {
		f.logger.Warn("the registry's database went away before the last changes were written", zap.Error(err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the registry's last changes: %w", err)
	}
	return nil
}

func (f *Fleet) currentIncarnation() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.incarnation
}

// Now is the store's clock, as well as it is known.
func (f *Fleet) Now() time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.now()
}

func (f *Fleet) now() time.Time { return f.settings.Clock().Add(f.offset) }

// DatabaseState returns the state of the store.
func (f *Fleet) DatabaseState() Database {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.database
}

// observe takes the outcome of a sync into the state.
func (f *Fleet) observe(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // this gateway is stopping
	}
	next := Database{State: Connected}
	if err != nil {
		next = Database{State: Unavailable, Err: err}
	}
	f.mu.Lock()
	f.database.Err = err
	changed := f.database.State != next.State
	if changed {
		next.Since = f.now()
		f.database = next
	}
	f.mu.Unlock()
	if changed {
		f.report(next)
		f.hub.databaseChanged()
	}
}

// failed takes the failure of anything else. That the store answers again is for a sync to say.
func (f *Fleet) failed(ctx context.Context, what string, err error) {
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, store.ErrUnavailable):
		f.observe(ctx, err)
		signal(f.wake.sync)
	default:
		f.logger.Error("the registry could not "+what, zap.Error(err))
	}
}

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
