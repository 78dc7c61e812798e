package otlpencoding

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/avika-ai/avika-collector/extension/otlpencoding/internal/metadata"
	"github.com/avika-ai/avika-collector/extension/otlpencoding/internal/metadatatest"
	"github.com/avika-ai/avika-collector/internal/configdocs"
)

// rubbish begins like OTLP and ends too early.
var rubbish = []byte{0x0a, 0xff, 0xff, 0x01, 'x'}

func start(t *testing.T, dir string) (*encoding, *componenttest.Telemetry) {
	tel := componenttest.NewTelemetry()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	ext, err := NewFactory().Create(context.Background(), set, &Config{DeadLetter: DeadLetterConfig{Directory: dir}})
	require.NoError(t, err)
	require.NoError(t, ext.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		require.NoError(t, ext.Shutdown(context.Background()))
		require.NoError(t, tel.Shutdown(context.Background()))
	})
	return ext.(*encoding), tel
}

func TestConfig(t *testing.T) {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for name, want := range map[string]*Config{
		"":     {},
		"full": {DeadLetter: DeadLetterConfig{Directory: "/var/lib/otelcol-avika/dead-letter"}},
	} {
		sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
		require.NoError(t, err)
		got := createDefaultConfig()
		require.NoError(t, sub.Unmarshal(got))
		require.Equal(t, want, got)
	}
}

func TestReadsOTLP(t *testing.T) {
	e, _ := start(t, t.TempDir())
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName("x")
	message, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	got, err := e.UnmarshalLogs(message)
	require.NoError(t, err)
	require.Equal(t, logs, got)
}

func TestRubbishIsKept(t *testing.T) {
	dir := t.TempDir()
	e, tel := start(t, dir)
	logs, err := e.UnmarshalLogs(rubbish)
	require.NoError(t, err)
	require.Zero(t, logs.ResourceLogs().Len())
	metrics, err := e.UnmarshalMetrics(rubbish)
	require.NoError(t, err)
	require.Zero(t, metrics.ResourceMetrics().Len())
	traces, err := e.UnmarshalTraces(rubbish)
	require.NoError(t, err)
	require.Zero(t, traces.ResourceSpans().Len())
	for _, signal := range []string{"logs", "metrics", "traces"} {
		files, err := filepath.Glob(filepath.Join(dir, signal+"-*.otlp"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		kept, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.Equal(t, rubbish, kept)
	}
	metadatatest.AssertEqualExtensionOtlpEncodingDeadLettered(t, tel, []metricdata.DataPoint[int64]{
		ofSignal("logs"), ofSignal("metrics"), ofSignal("traces"),
	}, metricdatatest.IgnoreTimestamp())
}

// A topic full of rubbish does not fill the log, and is counted.
func TestTheLogIsNotFilled(t *testing.T) {
	core, lines := observer.New(zap.ErrorLevel)
	tel := componenttest.NewTelemetry()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	ext, err := NewFactory().Create(context.Background(), set, &Config{DeadLetter: DeadLetterConfig{Directory: t.TempDir()}})
	require.NoError(t, err)
	for range 50 {
		_, err := ext.(*encoding).UnmarshalLogs(rubbish)
		require.NoError(t, err)
	}
	require.Equal(t, linesPerMinute, lines.Len())
	all := ofSignal("logs")
	all.Value = 50
	metadatatest.AssertEqualExtensionOtlpEncodingDeadLettered(t, tel, []metricdata.DataPoint[int64]{all}, metricdatatest.IgnoreTimestamp())
}

func TestRubbishThatCannotBeKept(t *testing.T) {
	e, tel := start(t, "")
	_, err := e.UnmarshalLogs(rubbish)
	require.ErrorContains(t, err, "message is no OTLP")
	require.ErrorContains(t, err, "dead_letter.directory is not set")
	metadatatest.AssertEqualExtensionOtlpEncodingRefused(t, tel, []metricdata.DataPoint[int64]{ofSignal("logs")}, metricdatatest.IgnoreTimestamp())
}

func ofSignal(s string) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Value: 1, Attributes: attribute.NewSet(attribute.String("signal", s))}
}

// Whatever a topic holds, reading it ends in data, a file or an error.
func FuzzUnmarshal(f *testing.F) {
	f.Add(rubbish)
	f.Add([]byte{})
	builder, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, message []byte) {
		e := &encoding{telemetry: builder}
		_, logs := e.UnmarshalLogs(message)
		_, metrics := e.UnmarshalMetrics(message)
		_, traces := e.UnmarshalTraces(message)
		_, _, _ = logs, metrics, traces
	})
}

func TestREADMENamesEveryKey(t *testing.T) {
	unnamed, err := configdocs.Unnamed("README.md", createDefaultConfig())
	require.NoError(t, err)
	require.Empty(t, unnamed)
}
