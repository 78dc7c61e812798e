package recordlimitprocessor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/avika-ai/avika-collector/internal/configdocs"
	"github.com/avika-ai/avika-collector/processor/recordlimitprocessor/internal/metadata"
	"github.com/avika-ai/avika-collector/processor/recordlimitprocessor/internal/metadatatest"
)

func TestConfig(t *testing.T) {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	load := func(name string) (*Config, error) {
		sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
		require.NoError(t, err)
		c := createDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(c))
		return c, xconfmap.Validate(c)
	}
	got, err := load("")
	require.NoError(t, err)
	require.Equal(t, &Config{MaxBytes: 1_000_000}, got)
	got, err = load("full")
	require.NoError(t, err)
	require.Equal(t, &Config{
		MaxBytes: 1000, DeadLetter: DeadLetterConfig{Directory: "/var/lib/otelcol-avika/dead-letter"}, RetryRefused: true,
	}, got)
	_, err = load("invalid")
	require.ErrorContains(t, err, `"max_bytes" must be positive, is 0`)
}

func settings() (processor.Settings, *componenttest.Telemetry) {
	tel := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	return set, tel
}

func someLogs(sizes ...int) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("host.name", "web-1")
	for _, size := range sizes {
		rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(strings.Repeat("x", size))
	}
	return ld
}

func TestLogs(t *testing.T) {
	dir, sink := t.TempDir(), &consumertest.LogsSink{}
	set, tel := settings()
	p, err := NewFactory().CreateLogs(context.Background(), set, &Config{MaxBytes: 1000, DeadLetter: DeadLetterConfig{Directory: dir}}, sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(context.Background(), someLogs(600, 950, 600, 5000)))
	require.Equal(t, 2, sink.LogRecordCount(), "a batch may be larger than the limit, a record may not")
	kept := readAll(t, dir, "logs")
	require.Len(t, kept, 2)
	for _, raw := range kept {
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(raw)
		require.NoError(t, err)
		require.Equal(t, 1, ld.LogRecordCount())
		require.Equal(t, 1, ld.ResourceLogs().At(0).Resource().Attributes().Len())
	}
	metadatatest.AssertEqualProcessorRecordLimitDeadLettered(t, tel, count("logs", 2), metricdatatest.IgnoreTimestamp())
	require.NoError(t, p.Shutdown(context.Background()))
}

// What passes fits into a message of its own, to the byte.
func TestWhatPassesFits(t *testing.T) {
	set, _ := settings()
	l, err := newLimiter(set, &Config{MaxBytes: 1000, DeadLetter: DeadLetterConfig{Directory: t.TempDir()}}, "logs")
	require.NoError(t, err)
	passed := 0
	for size := 800; size < 1010; size++ {
		ld, err := l.logs(context.Background(), someLogs(size))
		require.NoError(t, err)
		if ld.LogRecordCount() == 1 {
			require.LessOrEqual(t, (&plog.ProtoMarshaler{}).LogsSize(ld), 1000)
			passed++
		}
	}
	require.Greater(t, passed, 100)
}

func TestTraces(t *testing.T) {
	dir, sink := t.TempDir(), &consumertest.TracesSink{}
	set, _ := settings()
	p, err := NewFactory().CreateTraces(context.Background(), set, &Config{MaxBytes: 1000, DeadLetter: DeadLetterConfig{Directory: dir}}, sink)
	require.NoError(t, err)
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	spans.AppendEmpty().SetName("small")
	spans.AppendEmpty().SetName(strings.Repeat("x", 5000))
	require.NoError(t, p.ConsumeTraces(context.Background(), td))
	require.Equal(t, 1, sink.SpanCount())
	require.Len(t, readAll(t, dir, "traces"), 1)
}

func TestMetrics(t *testing.T) {
	dir, sink := t.TempDir(), &consumertest.MetricsSink{}
	set, _ := settings()
	p, err := NewFactory().CreateMetrics(context.Background(), set, &Config{MaxBytes: 1000, DeadLetter: DeadLetterConfig{Directory: dir}}, sink)
	require.NoError(t, err)
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	many := metrics.AppendEmpty().SetEmptyGauge().DataPoints()
	for range 200 {
		many.AppendEmpty().SetIntValue(1)
	}
	metrics.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().Attributes().PutStr("a", strings.Repeat("x", 5000))
	metrics.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty().ExplicitBounds().FromRaw(make([]float64, 500))
	metrics.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes().PutStr("a", strings.Repeat("x", 5000))
	metrics.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().Attributes().PutStr("a", strings.Repeat("x", 5000))
	require.NoError(t, p.ConsumeMetrics(context.Background(), md))
	require.Equal(t, 200, sink.DataPointCount(), "a metric of many points can be cut")
	require.Len(t, readAll(t, dir, "metrics"), 4)
}

// Nothing is dropped where it cannot be kept: the sender hears of it.
func TestNowhereToKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for dir, permanent := range map[string]bool{"": true, file: false} {
		sink := &consumertest.LogsSink{}
		set, tel := settings()
		p, err := NewFactory().CreateLogs(context.Background(), set, &Config{MaxBytes: 1000, DeadLetter: DeadLetterConfig{Directory: dir}}, sink)
		require.NoError(t, err)
		err = p.ConsumeLogs(context.Background(), someLogs(10, 5000))
		require.ErrorContains(t, err, "1 items are larger than record_limit.max_bytes, 1000")
		require.Equal(t, permanent, consumererror.IsPermanent(err))
		require.Zero(t, sink.LogRecordCount())
		metadatatest.AssertEqualProcessorRecordLimitRefused(t, tel, count("logs", 1), metricdatatest.IgnoreTimestamp())
	}
}

func readAll(t *testing.T, dir, signal string) (all [][]byte) {
	files, err := filepath.Glob(filepath.Join(dir, signal+"-*.otlp"))
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		all = append(all, raw)
	}
	return all
}

func count(signal string, n int64) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(attribute.String("signal", signal))}}
}

func TestREADMENamesEveryKey(t *testing.T) {
	unnamed, err := configdocs.Unnamed("README.md", createDefaultConfig())
	require.NoError(t, err)
	require.Empty(t, unnamed)
}
