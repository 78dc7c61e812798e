package chbatchexporter

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadatatest"
)

func point(value int64, attrs ...string) []metricdata.DataPoint[int64] {
	var kvs []attribute.KeyValue
	for i := 0; i < len(attrs); i += 2 {
		kvs = append(kvs, attribute.String(attrs[i], attrs[i+1]))
	}
	return []metricdata.DataPoint[int64]{{Value: value, Attributes: attribute.NewSet(kvs...)}}
}

// sumOf adds up the values of a gauge or a sum.
func sumOf(m metricdata.Metrics) (sum int64) {
	var points []metricdata.DataPoint[int64]
	switch data := m.Data.(type) {
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	case metricdata.Sum[int64]:
		points = data.DataPoints
	}
	for _, p := range points {
		sum += p.Value
	}
	return sum
}

func TestOwnMetrics(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	cfg := testConfig(t)
	set := settings()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e := startLogs(t, cfg, set, nopHost())
	send(t, e, 0, 10)
	eventually(t, "10", countAccess(cfg))
	at := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualExporterChBatchBufferCapacityRows(t, tel, point(100_000, "signal", "logs"), at)
	metadatatest.AssertEqualExporterChBatchBufferCapacityBytes(t, tel, point(128*mib, "signal", "logs"), at)
	require.Eventually(t, func() bool { // the insert is counted first, then its room is given back
		m, err := tel.GetMetric("otelcol_exporter_ch_batch_buffer_rows")
		waiting, errWaiting := tel.GetMetric("otelcol_exporter_ch_batch_blocks_waiting")
		return err == nil && errWaiting == nil && sumOf(m) == 0 && sumOf(waiting) == 0
	}, waitFor, tick)
	metadatatest.AssertEqualExporterChBatchRowsInserted(t, tel, point(10, "table", "access_logs"), at)
	metadatatest.AssertEqualExporterChBatchBufferRows(t, tel, point(0, "signal", "logs", "table", "access_logs"), at)
	metadatatest.AssertEqualExporterChBatchBlocksWaiting(t, tel, point(0, "signal", "logs"), at)
	metadatatest.AssertEqualExporterChBatchNewestRowAge(t, tel, []metricdata.DataPoint[float64]{
		{Attributes: attribute.NewSet(attribute.String("table", "access_logs"))},
	}, at, metricdatatest.IgnoreValue())
	metadatatest.AssertEqualExporterChBatchRowDelay(t, tel, []metricdata.HistogramDataPoint[float64]{
		{Attributes: attribute.NewSet(attribute.String("table", "access_logs")), Count: 1},
	}, at, metricdatatest.IgnoreValue())
}

func TestFailuresAreCountedByCode(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	cfg := testConfig(t)
	cfg.DrainTimeout = cfg.FlushInterval
	cfg.Schema.CreateSchema = false // so that the table does not exist
	set := settings()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e := startLogs(t, cfg, set, nopHost())
	send(t, e, 0, 10)
	require.Eventually(t, func() bool {
		m, err := tel.GetMetric("otelcol_exporter_ch_batch_insert_failures")
		if err != nil {
			return false
		}
		sum, _ := m.Data.(metricdata.Sum[int64])
		code, _ := sum.DataPoints[0].Attributes.Value("code")
		return code.AsString() == "missing"
	}, waitFor, tick)
	metadatatest.AssertEqualExporterChBatchBufferRows(t, tel, point(10, "signal", "logs", "table", "access_logs"), metricdatatest.IgnoreTimestamp())
	require.NoError(t, e.Shutdown(context.Background()))
	lost := point(10, "table", "access_logs")
	for _, table := range []string{"error_logs", "otel_logs", "unreadable"} {
		lost = append(lost, point(0, "table", table)...)
	}
	metadatatest.AssertEqualExporterChBatchRowsLost(t, tel, lost, metricdatatest.IgnoreTimestamp())
}
