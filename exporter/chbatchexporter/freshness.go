package chbatchexporter

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/metric"
)

// freshness is the time of the newest row that is stored, by table.
type freshness struct {
	mu     sync.Mutex
	newest map[string]pcommon.Timestamp
}

func (f *freshness) stored(table string, newest pcommon.Timestamp) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.newest == nil {
		f.newest = map[string]pcommon.Timestamp{}
	}
	f.newest[table] = max(f.newest[table], newest)
}

func (f *freshness) observe(_ context.Context, obs metric.Float64Observer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for table, newest := range f.newest {
		obs.Observe(since(newest), ofTable(table))
	}
	return nil
}

// Stored implements blockqueue.Observer.
func (o *observer) Stored(table string, sampled []pcommon.Timestamp) {
	ctx, attrs := context.Background(), ofTable(table)
	for _, at := range sampled {
		o.tb.ExporterChBatchRowDelay.Record(ctx, since(at), attrs)
	}
	o.fresh.stored(table, slices.Max(sampled))
}

// since is in seconds; a sender whose clock is ahead does not make it negative.
func since(at pcommon.Timestamp) float64 { return max(time.Since(at.AsTime()).Seconds(), 0) }
