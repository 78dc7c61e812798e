package agentregistry

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
)

func TestMetrics(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { assert.NoError(t, telemetry.Shutdown(context.Background())) })
	settings := extensiontest.NewNopSettings(metadata.Type)
	settings.TelemetrySettings = telemetry.NewTelemetrySettings()
	settings.BuildInfo = component.BuildInfo{Version: "1.2.3"}
	config := createDefaultConfig().(*Config)
	config.HTTP.NetAddr.Endpoint = "localhost:0"
	r, err := newRegistry(settings, config)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, r.Shutdown(context.Background())) })
	connect(t, r, "a")
	connect(t, r, "b").Close()
	eventually(t, "connected", databaseIs(r, fleet.Connected))

	agents, err := telemetry.GetMetric("nginx_gateway_agents_total")
	require.NoError(t, err)
	counts := map[string]int64{}
	for _, point := range agents.Data.(metricdata.Gauge[int64]).DataPoints {
		status, _ := point.Attributes.Value("status")
		counts[status.AsString()] = point.Value
	}
	assert.Equal(t, map[string]int64{"online": 1, "offline": 1}, counts)

	info, err := telemetry.GetMetric("nginx_gateway_info")
	require.NoError(t, err)
	point := info.Data.(metricdata.Gauge[int64]).DataPoints[0]
	assert.EqualValues(t, 1, point.Value)
	for _, name := range []string{"version", "build_date", "git_commit"} {
		value, ok := point.Attributes.Value(attribute.Key(name))
		assert.True(t, ok, name)
		assert.NotEmpty(t, value.AsString(), name)
	}
	for _, name := range []string{"goroutines", "memory_alloc_bytes", "memory_sys_bytes"} {
		m, err := telemetry.GetMetric("nginx_gateway_" + name)
		require.NoError(t, err)
		assert.Positive(t, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value, name)
	}
	up, err := telemetry.GetMetric("otelcol_extension_agent_registry_database_up")
	require.NoError(t, err)
	assert.EqualValues(t, 1, up.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	for _, name := range []string{"agents_drifted", "agents_flapping", "agents_pending", "leases_lost"} {
		_, err := telemetry.GetMetric("otelcol_extension_agent_registry_" + name)
		require.NoError(t, err)
	}
	for _, name := range []string{"gc_pause_total_ns", "db_latency_avg_ms", "db_operations"} {
		_, err := telemetry.GetMetric("nginx_gateway_" + name)
		require.NoError(t, err)
	}
}
