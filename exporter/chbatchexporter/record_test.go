package chbatchexporter

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// fromKafka is a context as contrib's Kafka receiver makes it; further values are those of headers.
func fromKafka(partition, offset int, headers ...string) context.Context {
	return client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{
		"kafka.topic": {"avika-logs"}, "kafka.partition": {fmt.Sprint(partition)}, "kafka.offset": append([]string{fmt.Sprint(offset)}, headers...),
	})})
}

func identifying(t *testing.T) *Config {
	cfg := testConfig(t)
	cfg.IdentifyRecords, cfg.Queue.WaitForResult = true, true
	cfg.GatewayMetrics.Interval = 0
	return cfg
}

func TestRecordName(t *testing.T) {
	cfg := &Config{IdentifyRecords: true}
	require.Equal(t, "kafka/avika-logs/3/14", cfg.recordName(fromKafka(3, 14)))
	require.Equal(t, "kafka/avika-logs/3/14", cfg.recordName(fromKafka(3, 14, "a header")))
	require.Empty(t, cfg.recordName(context.Background()))
	require.Empty(t, (&Config{}).recordName(fromKafka(3, 14)))
}

// Two writers get the same records, in another order and among others.
func TestRedeliveredRecordsAreStoredOnce(t *testing.T) {
	cfg := identifying(t)
	writers := []*recordWriter{newWriter(t, cfg), newWriter(t, cfg)}
	for offset := range 10 {
		writers[0].deliver(1, offset)
	}
	for offset := 9; offset >= 5; offset-- {
		writers[1].deliver(2, offset)
		writers[1].deliver(1, offset)
	}
	eventually(t, "1500,1500", "SELECT concat(toString(count()), ',', toString(uniqExact(request_id))) FROM "+cfg.Database+".access_logs")
	eventually(t, "1500", "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min")
}

type recordWriter struct {
	t       *testing.T
	consume func(ctx context.Context, partition, offset int) error
}

func newWriter(t *testing.T, cfg *Config) *recordWriter {
	own := *cfg
	e := startLogs(t, &own, settings(), nopHost())
	return &recordWriter{t: t, consume: func(ctx context.Context, partition, offset int) error {
		return e.ConsumeLogs(ctx, accessLogs(partition*1_000_000+offset*100, 100))
	}}
}

func (w *recordWriter) deliver(partition, offset int) {
	require.NoError(w.t, w.consume(fromKafka(partition, offset), partition, offset))
}

// A record's rows may go to several tables; each of them knows it.
func TestRedeliveredRecordOfSeveralTables(t *testing.T) {
	cfg := identifying(t)
	e := startLogs(t, cfg, settings(), nopHost())
	for range 2 {
		ld := accessLogs(0, 10)
		for i, rec := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			if i%2 == 0 {
				rec.SetEventName("")
			}
		}
		require.NoError(t, e.ConsumeLogs(fromKafka(0, 0), ld))
	}
	eventually(t, "5", "SELECT count() FROM "+cfg.Database+".access_logs")
	eventually(t, "5", "SELECT count() FROM "+cfg.Database+".otel_logs")
}

// Without a record's name, or without the key, the same rows are new rows.
func TestOtherCallersAreNotIdentified(t *testing.T) {
	cfg := identifying(t)
	e := startLogs(t, cfg, settings(), nopHost())
	for range 2 {
		require.NoError(t, e.ConsumeLogs(context.Background(), accessLogs(0, 10)))
	}
	eventually(t, "20", "SELECT count() FROM "+cfg.Database+".access_logs")
	plain := *cfg
	plain.IdentifyRecords = false
	other := startLogs(t, &plain, settings(), nopHost())
	for range 2 {
		require.NoError(t, other.ConsumeLogs(fromKafka(0, 0), accessLogs(0, 10)))
	}
	eventually(t, "40", "SELECT count() FROM "+cfg.Database+".access_logs")
}

func TestRedeliveredSpansAndMetrics(t *testing.T) {
	cfg := identifying(t)
	traces, metrics := startTraces(t, cfg), startMetrics(t, cfg)
	for range 3 {
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName("GET /")
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(testTime))
		require.NoError(t, traces.ConsumeTraces(fromKafka(0, 0), td))
		require.NoError(t, metrics.ConsumeMetrics(fromKafka(0, 0), gaugeOf(1)))
	}
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".otel_traces")
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".otel_metrics_gauge")
}

func gaugeOf(value int64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("queue.length")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(testTime))
	p.SetIntValue(value)
	return md
}
