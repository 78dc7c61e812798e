package chbatchexporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
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

	queue   *blockqueue.Queue
	tb      *metadata.TelemetryBuilder
	observe *observer
	router  *router
	stopped bool
}

// Capabilities implements consumer.
func (e *signalExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start opens the queue. ClickHouse is connected in the background.
func (e *signalExporter) Start(ctx context.Context, host component.Host) error {
	client, err := e.storageClient(ctx, host)
	if err != nil {
		return err
	}
	tb, err := metadata.NewTelemetryBuilder(e.set.TelemetrySettings)
	if err != nil {
		return err
	}
	in, err := e.backend.start(ctx)
	if err != nil {
		return err
	}
	e.tb, e.observe = tb, newObserver(tb, e.signal)
	e.router = newRouter(e.cfg)
	q, err := blockqueue.Start(ctx, e.settings(in, client))
	if err != nil {
		e.backend.stop()
		tb.Shutdown()
		return err
	}
	e.queue = q
	return e.observe.watch(e.queue, e.limits.QueueRows, e.cfg.Queue.QueueSize)
}

// maxDays keeps an insert below ClickHouse's limit of 100 partitions.
const maxDays = 90

// memoryBytes of a queue on disk stay in memory too.
const memoryBytes = 64 * mib

func (e *signalExporter) settings(in *inserter, client storage.Client) blockqueue.Settings {
	cfg := e.cfg
	return blockqueue.Settings{
		Logger: e.set.Logger, MaxRows: e.limits.MaxRows, MaxBytes: e.limits.MaxBytes, MaxDays: maxDays,
		FlushInterval: cfg.FlushInterval, QueueRows: e.limits.QueueRows, QueueBytes: cfg.Queue.QueueSize,
		MemoryBytes: min(memoryBytes, cfg.Queue.QueueSize), Block: cfg.Queue.BlockOnOverflow,
		WaitForResult: cfg.Queue.WaitForResult, Workers: cfg.Queue.NumConsumers, Storage: client,
		Compression: cfg.Compression, Retry: cfg.Retry, DrainTimeout: cfg.DrainTimeout,
		NewBuilder: func(table string) rows.Builder { return rows.New(table, rows.Options{}) },
		Inserter:   in, Observer: e.observe,
		DeadLetter: &deadLetters{dir: cfg.DeadLetter.Directory, log: e.set.Logger},
		ShardName:  e.router.name, ShardIndex: e.router.index,
	}
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
	if e.queue == nil || e.stopped {
		return nil
	}
	e.stopped = true
	err := e.queue.Shutdown(ctx)
	e.tb.Shutdown()
	e.backend.stop()
	return err
}

// begin takes room for rows. The error of a full queue is retryable.
func (e *signalExporter) begin(ctx context.Context, rows int) (*blockqueue.Call, error) {
	call, err := e.queue.Begin(ctx, rows)
	if err != nil {
		e.observe.refused(rows)
		return nil, fmt.Errorf("ch_batch: %w", err)
	}
	return call, nil
}

func (e *signalExporter) finish(ctx context.Context, call *blockqueue.Call, rows int) error {
	if err := call.Finish(ctx); err != nil {
		e.observe.refused(rows)
		return fmt.Errorf("ch_batch: %w", err)
	}
	return nil
}
