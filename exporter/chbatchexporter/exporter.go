package chbatchexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadata"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// signalExporter is the exporter of one signal: a queue of its own before the shared backend.
type signalExporter struct {
	cfg     *Config
	set     exporter.Settings
	signal  pipeline.Signal
	limits  SignalConfig
	backend *backend

	// started is closed when Start is over, or will not come any more.
	started chan struct{}
	opening sync.Once

	queue   *blockqueue.Queue
	tb      *metadata.TelemetryBuilder
	observe *observer
	router  *router
	stopped bool
	helpers []interface{ stop() }
}

// Capabilities implements consumer.
func (e *signalExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start opens the queue. ClickHouse is connected in the background.
func (e *signalExporter) Start(ctx context.Context, host component.Host) error {
	defer e.opening.Do(func() { close(e.started) })
	client, err := e.storageClient(ctx, host)
	if err != nil {
		return err
	}
	tb, err := metadata.NewTelemetryBuilder(e.set.TelemetrySettings)
	if err != nil {
		return err
	}
	if err := e.backend.start(ctx); err != nil {
		return err
	}
	e.tb, e.observe = tb, newObserver(tb, e.signal, e.backend.load)
	e.observe.startAtZero(append(tablesOf(e.signal), blockqueue.Unreadable))
	e.router = newRouter(e.cfg)
	q, err := blockqueue.Start(ctx, e.settings(client))
	if err != nil {
		e.backend.stop()
		tb.Shutdown()
		return err
	}
	e.queue = q
	if err := e.startHelpers(); err != nil {
		return err
	}
	return e.observe.watch(e.queue, e.limits.QueueRows, e.cfg.Queue.QueueSize)
}

// startHelpers starts what brings rows of its own.
func (e *signalExporter) startHelpers() error {
	if e.cfg.DeadLetter.Replay {
		r := &replayer{dir: e.cfg.DeadLetter.Directory, log: e.set.Logger, queue: e.queue, router: e.router, tables: tablesOf(e.signal)}
		r.start()
		e.helpers = append(e.helpers, r)
	}
	if e.signal == pipeline.SignalMetrics && e.cfg.GatewayMetrics.Interval > 0 {
		s, err := newGatewaySampler(e.cfg.GatewayMetrics, e.backend.load, e.queue, e.set.Logger)
		if err != nil {
			return fmt.Errorf("gateway_metrics: %w", err)
		}
		s.start()
		e.helpers = append(e.helpers, s)
	}
	return nil
}

// maxDays keeps an insert below ClickHouse's limit of 100 partitions.
const maxDays = 90

// memoryBytes of a queue on disk stay in memory too. What comes behind them is read again when its turn has come.
const memoryBytes = 16 * mib

func (e *signalExporter) settings(client storage.Client) blockqueue.Settings {
	cfg := e.cfg
	return blockqueue.Settings{
		Logger: e.set.Logger, MaxRows: e.limits.MaxRows, MaxBytes: e.limits.MaxBytes, MaxDays: maxDays,
		FlushInterval: cfg.FlushInterval, InsertInterval: cfg.InsertInterval, QueueRows: e.limits.QueueRows, QueueBytes: cfg.Queue.QueueSize,
		MemoryBytes: min(memoryBytes, cfg.Queue.QueueSize), Block: cfg.Queue.BlockOnOverflow,
		WaitForResult: cfg.Queue.WaitForResult, Workers: cfg.Queue.NumConsumers, Storage: client,
		Compression: cfg.Compression, Retry: cfg.Retry, DrainTimeout: cfg.DrainTimeout,
		NewBuilder: e.newBuilder, Inserter: e.backend.in, Observer: e.observe,
		DeadLetter: &deadLetters{dir: cfg.DeadLetter.Directory, log: e.set.Logger},
		ShardName:  e.router.name, ShardIndex: e.router.index,
	}
}

func (e *signalExporter) newBuilder(table string) rows.Builder {
	return rows.New(table, rows.Options{Enrich: e.backend.enrich})
}

var (
	errNoStorage    = errors.New("no such extension")
	errWrongStorage = errors.New("the extension keeps no data")
)

func (e *signalExporter) storageClient(ctx context.Context, host component.Host) (storage.Client, error) {
	id := e.cfg.Queue.Storage
	if id == nil {
		return nil, nil
	}
	ext, ok := host.GetExtensions()[*id]
	if !ok {
		return nil, fmt.Errorf("sending_queue.storage %s: %w", id, errNoStorage)
	}
	st, ok := ext.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("sending_queue.storage %s: %w", id, errWrongStorage)
	}
	return st.GetClient(ctx, component.KindExporter, e.set.ID, e.signal.String())
}

// Shutdown inserts what waits in memory, as long as drain_timeout allows.
func (e *signalExporter) Shutdown(ctx context.Context) error {
	e.opening.Do(func() { close(e.started) })
	if e.queue == nil || e.stopped {
		return nil
	}
	e.stopped = true
	for _, h := range e.helpers {
		h.stop()
	}
	err := e.queue.Shutdown(ctx)
	e.tb.Shutdown()
	e.backend.stop()
	return err
}

// begin takes room for rows. The error of a full queue is retryable.
func (e *signalExporter) begin(ctx context.Context, rows int) (*blockqueue.Call, error) {
	if err := e.waitStarted(ctx); err != nil {
		return nil, fmt.Errorf("ch_batch: %w", err)
	}
	call, err := e.queue.Begin(ctx, rows)
	if err != nil {
		e.observe.refused(rows)
		return nil, fmt.Errorf("ch_batch: %w", err)
	}
	call.Record(e.cfg.recordName(ctx))
	e.backend.load.rows.Add(int64(rows))
	return call, nil
}

var errNotStarted = errors.New("the exporter has not started")

// waitStarted is for receivers that several signals share: they listen for all of them as soon as the exporter of one has
// started, and reading the queue of another from disk takes its time.
func (e *signalExporter) waitStarted(ctx context.Context) error {
	select {
	case <-e.started:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if e.queue == nil {
		return errNotStarted
	}
	return nil
}

// finish waits until the rows are as safe as configured. Rows that ClickHouse rejects and that are in the dead-letter
// folder are safe; sending lost ones again is of no use.
func (e *signalExporter) finish(ctx context.Context, call *blockqueue.Call, rows int) error {
	err := call.Finish(ctx)
	switch {
	case err == nil, errors.Is(err, blockqueue.ErrRejected):
		return nil
	case errors.Is(err, blockqueue.ErrLost):
		return consumererror.NewPermanent(fmt.Errorf("ch_batch: %w", err))
	}
	e.observe.refused(rows)
	return fmt.Errorf("ch_batch: %w", err)
}

// window is the time around the present that rows usually are from, in seconds since 1970.
type window struct{ from, to int64 }

func (e *signalExporter) window() window {
	now, half := time.Now().Unix(), int64(e.cfg.TimeWindow/time.Second)
	return window{now - half, now + half}
}

func (w window) stray(t pcommon.Timestamp) bool {
	at := int64(t / nanosPerSecond)
	return at < w.from || at > w.to
}

const nanosPerSecond = 1_000_000_000
