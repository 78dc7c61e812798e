package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

const (
	// gather lets notifications and writes of many agents meet in one call.
	gather = 50 * time.Millisecond
	// retry is the pause after a failed call.
	retry = time.Second
)

// syncLoop keeps the lease, and the copy of the fleet. It asks at each renewal, when notified, and when a lease runs out.
func (f *Fleet) syncLoop(ctx context.Context) {
	for next := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-f.wake.sync:
			pause(ctx, gather)
		case <-time.After(next):
		}
		err := f.syncOnce(ctx)
		f.observe(ctx, err)
		next = ifElse(err == nil, f.untilNextSync(), retry)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (f *Fleet) syncOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.settings.OperationTimeout)
	defer cancel()
	if err := f.join(ctx); err != nil {
		return err
	}
	load, asked := f.load(), time.Now()
	f.mu.RLock()
	request := store.SyncRequest{Incarnation: f.incarnation, Lease: f.settings.Lease, Load: load, Cursor: f.cursor}
	f.mu.RUnlock()
	changes, err := f.store.Sync(ctx, request)
	if errors.Is(err, store.ErrLeaseLost) {
		f.leaseLost(request.Incarnation)
		return f.syncOnce(ctx)
	}
	if err != nil {
		return err
	}
	for _, id := range f.apply(changes, asked) {
		f.hub.agent(id)
	}
	f.hub.synced(changes)
	if changes.Claimable {
		signal(f.wake.claim)
	}
	signal(f.wake.write)
	return nil
}

// join takes a lease when there is none.
func (f *Fleet) join(ctx context.Context) error {
	if f.currentIncarnation() != 0 {
		return nil
	}
	incarnation, err := f.store.Join(ctx, store.Gateway{ID: f.settings.GatewayID, Address: f.settings.Address, Version: f.settings.Version}, f.settings.Lease)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.incarnation, f.own[incarnation] = incarnation, true
	return nil
}

// leaseLost forgets what the lost lease stood for: sessions that are still open are opened again under the next one.
func (f *Fleet) leaseLost(incarnation int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.incarnation != incarnation {
		return
	}
	f.logger.Warn("the lease ran out, taking a new one", zap.Int64("incarnation", incarnation))
	f.leasesLost++
	f.incarnation = 0
	for _, s := range f.sessions {
		s.mu.Lock()
		s.number = 0
		s.mu.Unlock()
	}
	clear(f.ending)
}

// untilNextSync is the time to the next renewal, poll or end of somebody's lease.
func (f *Fleet) untilNextSync() time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	next := ifElse(f.settings.Poll > 0, min(f.settings.Poll, f.settings.Renew), f.settings.Renew)
	for i := range f.gateways {
		if left := f.gateways[i].expires.Sub(f.now()); f.gateways[i].LeaseLeft > 0 {
			next = min(next, max(left, 0)+gather)
		}
	}
	return next
}

// flushLoop shares last seen and rates of local agents, and fetches those of the others. It begins at a random moment, so that
// gateways that start together do not flush together for ever: commands would wait for all of them.
func (f *Fleet) flushLoop(ctx context.Context) {
	share := func() {
		if f.DatabaseState().State == Connected {
			f.failed(ctx, "share when agents were seen", f.flush(ctx))
		}
	}
	pause(ctx, rand.N(f.settings.FlushInterval))
	share()
	every(ctx, f.settings.FlushInterval, share)
}

func (f *Fleet) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.settings.OperationTimeout)
	defer cancel()
	if seen := f.seen(); len(seen) > 0 {
		if err := f.store.Flush(ctx, seen); err != nil {
			return err
		}
	}
	activities, err := f.store.Activities(ctx)
	if err != nil {
		return err
	}
	f.applyActivities(activities)
	return nil
}

func (f *Fleet) seen() []store.Seen {
	var seen []store.Seen
	for _, s := range f.localSessions() {
		s.mu.Lock()
		if s.number != 0 && !s.superseded {
			seen = append(seen, store.Seen{AgentID: s.peer.AgentID, Session: s.number, Age: time.Since(s.seen), Rates: s.rates.points})
		}
		s.mu.Unlock()
	}
	return seen
}

func (f *Fleet) sweepLoop(ctx context.Context) {
	every(ctx, f.settings.SweepInterval, func() {
		if f.DatabaseState().State != Connected {
			return
		}
		call, cancel := context.WithTimeout(ctx, f.settings.OperationTimeout)
		defer cancel()
		f.failed(ctx, "sweep", f.store.Sweep(call, f.settings.Policy))
	})
}

// listenLoop turns notifications into wake-ups. Losing them costs time only, as everything is polled too.
func (f *Fleet) listenLoop(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.store.Listen(ctx, f.notified)
		if ctx.Err() == nil && err != nil && f.DatabaseState().State == Connected {
			f.logger.Debug("notifications are interrupted", zap.Error(err))
		}
		pause(ctx, retry)
	}
}

func (f *Fleet) notified(n store.Notification) {
	switch {
	case n.Incarnation == 0:
		signal(f.wake.sync)
	case n.Incarnation == f.currentIncarnation():
		signal(f.wake.claim)
	}
}
