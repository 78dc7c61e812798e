package chbatchexporter

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadatatest"
)

// lose makes a table what it is after ClickHouse died between the token of an insert and its part: it knows the token, and has
// no rows. (tests/exporter does it with a kill.)
func lose(t *testing.T, cfg *Config, table, where string) {
	t.Helper()
	sql(t, "ALTER TABLE "+cfg.Database+"."+table+" DELETE WHERE "+where+" SETTINGS mutations_sync = 2")
}

// countRows of a table, and of different ones by an expression.
func countRows(cfg *Config, table, distinct string) string {
	return "SELECT concat(toString(count()), ',', toString(uniqExact(" + distinct + "))) FROM " + cfg.Database + "." + table
}

// twoDays are access records, of which every other one is of the day before, and records of others among them.
func twoDays() plog.Logs {
	ld := accessLogs(0, 300)
	for i, rec := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		if i%2 == 1 {
			rec.SetTimestamp(pcommon.NewTimestampFromTime(testTime.Add(-24*time.Hour + time.Duration(i)*time.Millisecond)))
		}
		if i%3 == 0 {
			rec.SetEventName("")
			everyType(rec.Attributes())
		}
	}
	return ld
}

func TestLostLogsAreRestored(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	cfg := identifying(t)
	set := settings()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e := startLogs(t, cfg, set, nopHost())
	lost := []string{"", "1", "toDate(timestamp) = '2026-11-23'", "toDate(timestamp) = '2026-11-22'"}
	for _, where := range lost {
		if where != "" {
			lose(t, cfg, "access_logs", where)
		}
		require.NoError(t, e.ConsumeLogs(fromKafka(0, 0), twoDays()))
		require.Equal(t, "200,200", mustQuery(t, countRows(cfg, "access_logs", "request_id")), "lost: %s", where)
		require.Equal(t, "100,100", mustQuery(t, countRows(cfg, "otel_logs", "LogAttributes")), "lost: %s", where)
	}
	lose(t, cfg, "otel_logs", "toDate(Timestamp) = '2026-11-22'")
	require.NoError(t, e.ConsumeLogs(fromKafka(0, 0), twoDays()))
	require.Equal(t, "100,100", mustQuery(t, countRows(cfg, "otel_logs", "LogAttributes")))
	require.Equal(t, "200", mustQuery(t, "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min"), "the rollup is not doubled")
	checked := append(point(3, "table", "access_logs", "result", "restored"), point(1, "table", "access_logs", "result", "stored")...)
	checked = append(append(checked, point(1, "table", "otel_logs", "result", "restored")...), point(3, "table", "otel_logs", "result", "stored")...)
	metadatatest.AssertEqualExporterChBatchDuplicatesChecked(t, tel, checked, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualExporterChBatchRowsRestored(t, tel,
		append(point(400, "table", "access_logs"), point(50, "table", "otel_logs")...), metricdatatest.IgnoreTimestamp())
}

func TestLostSpansAreRestored(t *testing.T) {
	cfg := identifying(t)
	e := startTraces(t, cfg)
	for range 2 {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		resource(rs.Resource())
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for i := range 10 {
			span := spans.AppendEmpty()
			span.SetTraceID([16]byte{1, byte(i)})
			span.SetStartTimestamp(exactTime)
			everyType(span.Attributes())
			everyType(span.Events().AppendEmpty().Attributes())
			everyType(span.Links().AppendEmpty().Attributes())
		}
		require.NoError(t, e.ConsumeTraces(fromKafka(0, 0), td))
		require.Equal(t, "10,10", mustQuery(t, countRows(cfg, "otel_traces", "TraceId")))
		require.Equal(t, "10,10", mustQuery(t, countRows(cfg, "otel_traces_trace_id_ts", "TraceId")))
		lose(t, cfg, "otel_traces", "1")
	}
}

func TestLostMetricsAreRestored(t *testing.T) {
	cfg := identifying(t)
	e := startMetrics(t, cfg)
	tables := []string{"otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram", "otel_metrics_exponential_histogram", "otel_metrics_summary"}
	stored := map[string]string{}
	for round := range 2 {
		require.NoError(t, e.ConsumeMetrics(fromKafka(0, 0), everyMetric()))
		for _, table := range tables {
			n := mustQuery(t, "SELECT count() FROM "+cfg.Database+"."+table)
			if round == 0 {
				require.NotEqual(t, "0", n, table)
				stored[table] = n
			}
			require.Equal(t, stored[table], n, table)
			lose(t, cfg, table, "1")
		}
	}
}

// TestLostRowsOfATableThatHasChanged since they were inserted.
func TestLostRowsOfATableThatHasChanged(t *testing.T) {
	cfg := identifying(t)
	e := startLogs(t, cfg, settings(), nopHost())
	require.NoError(t, e.ConsumeLogs(fromKafka(0, 0), accessLogs(0, 10)))
	sql(t, "ALTER TABLE "+cfg.Database+".access_logs DROP COLUMN referer, MODIFY COLUMN user_agent LowCardinality(String), "+
		"ADD COLUMN extra String DEFAULT 'x', ADD INDEX i request_id TYPE bloom_filter SETTINGS mutations_sync = 2")
	for _, where := range []string{"0", "1"} {
		lose(t, cfg, "access_logs", where)
		require.NoError(t, e.ConsumeLogs(fromKafka(0, 0), accessLogs(0, 10)))
		require.Equal(t, "10,10", mustQuery(t, countRows(cfg, "access_logs", "request_id")), where)
	}
}
