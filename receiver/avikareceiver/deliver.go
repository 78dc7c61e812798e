package avikareceiver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
)

const dataFormat = "avika"

// deliver returns when the pipelines have taken the batch, or refused it for good.
func (r *avikaReceiver) deliver(ctx context.Context, batch *pending) {
	if len(batch.entries) > 0 {
		logs, traces, counts := r.translate(batch)
		if counts.Records > 0 {
			r.deliverLogs(ctx, logs, counts.Records)
		}
		if counts.Spans > 0 {
			r.deliverTraces(ctx, traces, counts.Spans)
		}
	}
	metrics, counts := batch.samples.Take()
	r.telemetry.refusedValues(counts.RefusedValues)
	if counts.Points > 0 {
		r.deliverMetrics(ctx, metrics, counts.Points)
	}
}

// translate makes OpenTelemetry data of the entries and lets go of them.
func (r *avikaReceiver) translate(batch *pending) (plog.Logs, ptrace.Traces, translate.Counts) {
	translator := r.translators.Get().(*translate.Translator)
	defer r.translators.Put(translator)
	defer batch.release()
	logs, traces, counts := translator.Translate(batch.entries, batch.segments)
	r.telemetry.translated(&counts)
	return logs, traces, counts
}

// The reference held below keeps pdata's pools, when they are on, from taking data apart that may be offered again.

func (r *avikaReceiver) deliverLogs(ctx context.Context, logs plog.Logs, n int) {
	pref.RefLogs(logs)
	defer pref.UnrefLogs(logs)
	rest := logs
	r.offer(signalLogs, n, func() error {
		op := r.report.StartLogsOp(ctx)
		err := r.logs.ConsumeLogs(op, rest)
		r.report.EndLogsOp(op, dataFormat, rest.LogRecordCount(), err)
		if partial := (consumererror.Logs{}); errors.As(err, &partial) {
			rest = partial.Data()
		}
		return err
	})
}

func (r *avikaReceiver) deliverTraces(ctx context.Context, traces ptrace.Traces, n int) {
	pref.RefTraces(traces)
	defer pref.UnrefTraces(traces)
	rest := traces
	r.offer(signalTraces, n, func() error {
		op := r.report.StartTracesOp(ctx)
		err := r.traces.ConsumeTraces(op, rest)
		r.report.EndTracesOp(op, dataFormat, rest.SpanCount(), err)
		if partial := (consumererror.Traces{}); errors.As(err, &partial) {
			rest = partial.Data()
		}
		return err
	})
}

func (r *avikaReceiver) deliverMetrics(ctx context.Context, metrics pmetric.Metrics, n int) {
	pref.RefMetrics(metrics)
	defer pref.UnrefMetrics(metrics)
	rest := metrics
	r.offer(signalMetrics, n, func() error {
		op := r.report.StartMetricsOp(ctx)
		err := r.metrics.ConsumeMetrics(op, rest)
		r.report.EndMetricsOp(op, dataFormat, rest.DataPointCount(), err)
		if partial := (consumererror.Metrics{}); errors.As(err, &partial) {
			rest = partial.Data()
		}
		return err
	})
}

// offer calls consume until the pipeline takes the data or refuses it for good.
func (r *avikaReceiver) offer(signal string, n int, consume func() error) {
	wait := newBackoff(r.config.Retry)
	for {
		err := consume()
		switch {
		case err == nil:
			return
		case consumererror.IsPermanent(err):
			r.telemetry.dropped(signal, refusedPermanent, n, err)
			return
		case !r.config.Retry.Enabled:
			r.telemetry.dropped(signal, refusedNoRetry, n, err)
			return
		}
		r.telemetry.retry(signal, err)
		switch wait.sleep(r.life) {
		case expired:
			r.telemetry.dropped(signal, refusedRetryTime, n, err)
			return
		case stopped:
			r.telemetry.dropped(signal, refusedShutdown, n, err)
			return
		}
	}
}

// backoff waits longer and longer.
type backoff struct {
	config configretry.BackOffConfig
	next   time.Duration
	start  time.Time
}

type sleepResult int

const (
	slept sleepResult = iota
	expired
	stopped
)

func newBackoff(config configretry.BackOffConfig) *backoff {
	return &backoff{config: config, next: config.InitialInterval, start: time.Now()}
}

func (b *backoff) sleep(ctx context.Context) sleepResult {
	if b.config.MaxElapsedTime > 0 && time.Since(b.start) >= b.config.MaxElapsedTime {
		return expired
	}
	spread := b.config.RandomizationFactor * (2*rand.Float64() - 1)
	timer := time.NewTimer(time.Duration(float64(b.next) * (1 + spread)))
	defer timer.Stop()
	b.next = min(time.Duration(float64(b.next)*b.config.Multiplier), b.config.MaxInterval)
	select {
	case <-timer.C:
		return slept
	case <-ctx.Done():
		return stopped
	}
}
