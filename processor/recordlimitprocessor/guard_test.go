package recordlimitprocessor

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/avika-ai/avika-collector/processor/recordlimitprocessor/internal/metadatatest"
)

// broken is an exporter that takes apart what it is given, and refuses it while it has an error.
type broken struct {
	err   error
	taken int
}

func (b *broken) consume(n int, empty func()) error {
	empty()
	if b.err == nil {
		b.taken += n
	}
	return b.err
}

func (b *broken) logs(_ context.Context, ld plog.Logs) error {
	return b.consume(ld.LogRecordCount(), func() { ld.ResourceLogs().MoveAndAppendTo(plog.NewResourceLogsSlice()) })
}

func (b *broken) metrics(_ context.Context, md pmetric.Metrics) error {
	return b.consume(md.DataPointCount(), func() { md.ResourceMetrics().MoveAndAppendTo(pmetric.NewResourceMetricsSlice()) })
}

func (b *broken) traces(_ context.Context, td ptrace.Traces) error {
	return b.consume(td.SpanCount(), func() { td.ResourceSpans().MoveAndAppendTo(ptrace.NewResourceSpansSlice()) })
}

// offers makes a function for each signal that offers one item, which stays the same, and tells what the sender gets.
func offers(t *testing.T, b *broken, retry bool) map[string]func() error {
	set, _ := settings()
	c := &Config{MaxBytes: 1000, RetryRefused: retry}
	ctx, factory := context.Background(), NewFactory()
	nextLogs, _ := consumer.NewLogs(b.logs)
	nextMetrics, _ := consumer.NewMetrics(b.metrics)
	nextTraces, _ := consumer.NewTraces(b.traces)
	logs, err := factory.CreateLogs(ctx, set, c, nextLogs)
	require.NoError(t, err)
	metrics, err := factory.CreateMetrics(ctx, set, c, nextMetrics)
	require.NoError(t, err)
	traces, err := factory.CreateTraces(ctx, set, c, nextTraces)
	require.NoError(t, err)
	ld, md, td := someLogs(10), pmetric.NewMetrics(), ptrace.NewTraces()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	return map[string]func() error{
		"logs":    func() error { return logs.ConsumeLogs(ctx, ld) },
		"metrics": func() error { return metrics.ConsumeMetrics(ctx, md) },
		"traces":  func() error { return traces.ConsumeTraces(ctx, td) },
	}
}

// What an exporter refuses for good from the start on is offered again whole, until it takes it.
func TestRefusedIsTriedAgain(t *testing.T) {
	b := &broken{}
	for signal, offer := range offers(t, b, true) {
		b.err, b.taken = consumererror.NewPermanent(errors.New("no right to write")), 0
		for range 2 {
			err := offer()
			require.ErrorContains(t, err, "no right to write", signal)
			require.False(t, consumererror.IsPermanent(err), signal)
		}
		b.err = nil
		require.NoError(t, offer(), signal)
		require.Equal(t, 1, b.taken, signal)
	}
}

func TestRefusedIsFinalWithoutTheKey(t *testing.T) {
	b := &broken{err: consumererror.NewPermanent(errors.New("no right to write"))}
	for signal, offer := range offers(t, b, false) {
		require.True(t, consumererror.IsPermanent(offer()), signal)
	}
}

// What is under way when an exporter begins to refuse may have been taken apart: nobody may believe that it can be offered again.
func TestWhatIsUnderWayIsRefusedForGood(t *testing.T) {
	b := &broken{}
	set, tel := settings()
	next, err := consumer.NewLogs(b.logs)
	require.NoError(t, err)
	p, err := NewFactory().CreateLogs(context.Background(), set, &Config{MaxBytes: 1000, RetryRefused: true}, next)
	require.NoError(t, err)
	offer := func() error { return p.ConsumeLogs(context.Background(), someLogs(10)) }
	require.NoError(t, offer())
	b.err = errors.New("the brokers are away")
	require.Equal(t, b.err, offer(), "a passing error is left alone")
	b.err = consumererror.NewPermanent(errors.New("no right to write"))
	require.True(t, consumererror.IsPermanent(offer()))
	require.False(t, consumererror.IsPermanent(offer()))
	metadatatest.AssertEqualProcessorRecordLimitRejected(t, tel, count("logs", 2), metricdatatest.IgnoreTimestamp())
}
