package chbatchexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadata"
)

// observer counts what the queue of a signal does.
type observer struct {
	tb     *metadata.TelemetryBuilder
	signal attribute.KeyValue
	load   *load
	fresh  freshness
}

func newObserver(tb *metadata.TelemetryBuilder, s pipeline.Signal, l *load) *observer {
	return &observer{tb: tb, load: l, signal: attribute.String("signal", s.String())}
}

func ofTable(table string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("table", table)))
}

// Inserted implements blockqueue.Observer.
func (o *observer) Inserted(table string, rows, bytes int, took time.Duration, out blockqueue.Outcome) {
	o.load.inserts.Add(1)
	o.load.insertNanos.Add(took.Nanoseconds())
	ctx, attrs := context.Background(), ofTable(table)
	o.tb.ExporterChBatchInsertDuration.Record(ctx, took.Seconds(), attrs)
	if out.Duplicate {
		o.tb.ExporterChBatchInsertsDeduplicated.Add(ctx, 1, attrs)
	}
	if out.Check != "" {
		o.checked(table, out)
	}
	o.tb.ExporterChBatchRowsInserted.Add(ctx, int64(rows), attrs)
	o.tb.ExporterChBatchBytesInserted.Add(ctx, int64(bytes), attrs)
	o.tb.ExporterChBatchInsertRows.Record(ctx, int64(rows), attrs)
}

// checked counts a duplicate in doubt.
func (o *observer) checked(table string, out blockqueue.Outcome) {
	ctx := context.Background()
	o.tb.ExporterChBatchDuplicatesChecked.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("table", table), attribute.String("result", string(out.Check)))))
	o.tb.ExporterChBatchRowsRestored.Add(ctx, int64(out.Restored), ofTable(table))
}

// Failed implements blockqueue.Observer.
func (o *observer) Failed(table string, out blockqueue.Outcome) {
	o.tb.ExporterChBatchInsertFailures.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("table", table), attribute.String("code", out.Code))))
}

// Written implements blockqueue.Observer.
func (o *observer) Written(took time.Duration) {
	o.tb.ExporterChBatchStorageWriteDuration.Record(context.Background(), took.Seconds(), metric.WithAttributeSet(attribute.NewSet(o.signal)))
}

// DeadLettered implements blockqueue.Observer.
func (o *observer) DeadLettered(table string, rows int) {
	o.tb.ExporterChBatchRowsDeadLettered.Add(context.Background(), int64(rows), ofTable(table))
}

// Lost implements blockqueue.Observer.
func (o *observer) Lost(table string, rows int) {
	o.tb.ExporterChBatchRowsLost.Add(context.Background(), int64(rows), ofTable(table))
}

func (o *observer) refused(rows int) {
	o.tb.ExporterChBatchRowsRefused.Add(context.Background(), int64(rows), metric.WithAttributeSet(attribute.NewSet(o.signal)))
}

// startAtZero makes counters exist whose first step is an alarm: from nothing to 1 is no increase.
func (o *observer) startAtZero(tables []string) {
	for _, table := range tables {
		o.DeadLettered(table, 0)
		o.Lost(table, 0)
	}
	o.refused(0)
}

// watch reports the queue's fill whenever metrics are read.
func (o *observer) watch(q *blockqueue.Queue, maxRows, maxBytes int) error {
	signal := metric.WithAttributeSet(attribute.NewSet(o.signal))
	ints := []struct {
		register func(metric.Int64Callback) error
		value    func() int
	}{
		{o.tb.RegisterExporterChBatchBlocksWaitingCallback, func() int { return q.Fill().Blocks }},
		{o.tb.RegisterExporterChBatchBufferBytesCallback, func() int { return q.Fill().Bytes }},
		{o.tb.RegisterExporterChBatchBufferCapacityBytesCallback, func() int { return maxBytes }},
		{o.tb.RegisterExporterChBatchBufferCapacityRowsCallback, func() int { return maxRows }},
	}
	for _, i := range ints {
		if err := i.register(func(_ context.Context, obs metric.Int64Observer) error {
			obs.Observe(int64(i.value()), signal)
			return nil
		}); err != nil {
			return err
		}
	}
	if err := o.tb.RegisterExporterChBatchOldestRowAgeCallback(func(_ context.Context, obs metric.Float64Observer) error {
		obs.Observe(age(q.Fill().Oldest), signal)
		return nil
	}); err != nil {
		return err
	}
	if err := o.tb.RegisterExporterChBatchNewestRowAgeCallback(o.fresh.observe); err != nil {
		return err
	}
	return o.tb.RegisterExporterChBatchBufferRowsCallback(func(_ context.Context, obs metric.Int64Observer) error {
		for table, n := range q.FillByTable() {
			obs.Observe(int64(n), metric.WithAttributeSet(attribute.NewSet(o.signal, attribute.String("table", table))))
		}
		return nil
	})
}

func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return time.Since(since).Seconds()
}
