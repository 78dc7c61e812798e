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

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
)

const dataFormat = "avika"

// parcel is a batch of a stream on its way to the pipelines.
type parcel struct {
	outlet *outlet
	batch  pending
}

// deliver returns when the pipelines have taken the batches, or refused them for good.
func (r *avikaReceiver) deliver(ctx context.Context, parcels []parcel) {
	r.deliverEntries(ctx, parcels)
	r.deliverSamples(ctx, parcels)
	for i := range parcels {
		parcels[i].outlet.delivered(&parcels[i].batch)
	}
}

// deliverEntries makes OpenTelemetry data of the entries. The translator goes back at once, unless the memory that it has given to
// the data is to be used again.
func (r *avikaReceiver) deliverEntries(ctx context.Context, parcels []parcel) {
	batches := entriesOf(parcels)
	if len(batches) == 0 {
		return
	}
	translator := r.translators.Get().(*translate.Translator)
	logs, traces, counts := translator.Translate(batches...)
	for i := range parcels {
		parcels[i].batch.release()
	}
	r.telemetry.translated(&counts)
	if !r.config.Batch.Reuse {
		r.translators.Put(translator)
	}
	released := r.deliverBoth(ctx, logs, counts.Records, traces, counts.Spans)
	if r.config.Batch.Reuse {
		translator.Done(released)
		r.translators.Put(translator)
	}
}

// deliverBoth delivers logs and spans at the same time, so that the memory of a call waits for a disk once.
func (r *avikaReceiver) deliverBoth(ctx context.Context, logs plog.Logs, records int, traces ptrace.Traces, spans int) (released bool) {
	if spans == 0 {
		return records == 0 || r.deliverLogs(ctx, logs, records)
	}
	if records == 0 {
		return r.deliverTraces(ctx, traces, spans)
	}
	done := make(chan bool)
	go func() { done <- r.deliverTraces(ctx, traces, spans) }()
	released = r.deliverLogs(ctx, logs, records)
	return <-done && released
}

func entriesOf(parcels []parcel) []translate.Batch {
	var batches []translate.Batch
	for i := range parcels {
		if batch := &parcels[i].batch; len(batch.entries) > 0 {
			batches = append(batches, translate.Batch{Entries: batch.entries, Segments: batch.segments})
		}
	}
	return batches
}

func (r *avikaReceiver) deliverSamples(ctx context.Context, parcels []parcel) {
	var samples [][]translate.Sample
	for i := range parcels {
		if batch := &parcels[i].batch; len(batch.samples) > 0 {
			samples = append(samples, batch.samples)
		}
	}
	if len(samples) == 0 {
		return
	}
	translator := r.translators.Get().(*translate.Translator)
	metrics, counts := translator.Metrics(samples...)
	for i := range parcels {
		parcels[i].batch.releaseSamples()
	}
	r.telemetry.refusedValues(counts.RefusedValues)
	released := true
	if counts.Points > 0 {
		released = r.deliverMetrics(ctx, metrics, counts.Points)
	}
	if r.config.Batch.Reuse {
		translator.Done(released)
	}
	r.translators.Put(translator)
}

// Marking data as owned by the pipeline makes the reference that they came with the receiver's own, until it is given up below: data that may be offered
// again must not be taken apart by pdata's pools, when they are on. The functions report whether nobody else holds a reference.

func (r *avikaReceiver) deliverLogs(ctx context.Context, logs plog.Logs, n int) (released bool) {
	pref.MarkPipelineOwnedLogs(logs)
	defer pref.UnrefLogs(logs)
	ctx = r.report.StartLogsOp(ctx)
	rest := logs
	err := r.offer(signalLogs, n, func() error {
		err := r.logs.ConsumeLogs(ctx, rest)
		if partial := (consumererror.Logs{}); errors.As(err, &partial) {
			rest = partial.Data()
		}
		return err
	})
	r.report.EndLogsOp(ctx, dataFormat, n, err)
	return pdataslab.HeldAlone(logs)
}

func (r *avikaReceiver) deliverTraces(ctx context.Context, traces ptrace.Traces, n int) (released bool) {
	pref.MarkPipelineOwnedTraces(traces)
	defer pref.UnrefTraces(traces)
	ctx = r.report.StartTracesOp(ctx)
	rest := traces
	err := r.offer(signalTraces, n, func() error {
		err := r.traces.ConsumeTraces(ctx, rest)
		if partial := (consumererror.Traces{}); errors.As(err, &partial) {
			rest = partial.Data()
		}
		return err
	})
	r.report.EndTracesOp(ctx, dataFormat, n, err)
	return pdataslab.SpansHeldAlone(traces)
}

func (r *avikaReceiver) deliverMetrics(ctx context.Context, metrics pmetric.Metrics, n int) (released bool) {
	pref.MarkPipelineOwnedMetrics(metrics)
	defer pref.UnrefMetrics(metrics)
	ctx = r.report.StartMetricsOp(ctx)
	rest := metrics
	err := r.offer(signalMetrics, n, func() error {
		err := r.metrics.ConsumeMetrics(ctx, rest)
		if partial := (consumererror.Metrics{}); errors.As(err, &partial) {
			rest = partial.Data()
		}
		return err
	})
	r.report.EndMetricsOp(ctx, dataFormat, n, err)
	return pdataslab.MetricsHeldAlone(metrics)
}

// offer calls consume until the pipeline takes the data or refuses it for good, and returns the last error.
func (r *avikaReceiver) offer(signal string, n int, consume func() error) error {
	wait := newBackoff(r.config.Retry)
	for {
		err := consume()
		reason := r.final(err, wait, signal)
		if reason == "" {
			continue
		}
		if err != nil {
			r.telemetry.dropped(signal, reason, n, err)
		}
		return err
	}
}

// delivered is the reason for which data are not offered again when all is well.
const delivered = "delivered"

// final returns why data are not offered again, or nothing after it has waited for the next time.
func (r *avikaReceiver) final(err error, wait *backoff, signal string) string {
	switch {
	case err == nil:
		return delivered
	case consumererror.IsPermanent(err):
		return refusedPermanent
	case !r.config.Retry.Enabled:
		return refusedNoRetry
	}
	r.telemetry.retry(signal, err)
	switch wait.sleep(r.life) {
	case expired:
		return refusedRetryTime
	case stopped:
		return refusedShutdown
	default:
		return ""
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
