package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// installations are the profiles, and what else changes the gateway's configuration.
func installations() map[string][]string {
	all := map[string][]string{
		"queue on disk": set("gateway.mode=statefulset"),
		"keys, TLS, token": set("psk.existingSecret=agents", "tls.existingSecret=cert", "tls.clientCA=true", "api.tokenSecret=token",
			"api.tls=true"),
		"managed servers": set("clickhouse.enabled=false", "clickhouse.endpoints={ch-1:9440,ch-2:9440}", "clickhouse.existingSecret=ch",
			"clickhouse.tls.enabled=true", "clickhouse.tls.caSecret=ca", "postgresql.enabled=false", "postgresql.host=pg",
			"postgresql.auth.existingSecret=pg", "postgresql.sslmode=verify-full"),
		"managed Kafka": set("writer.enabled=true", "redpanda.brokers={kafka-1:9092,kafka-2:9092}", "redpanda.tlsSecret=kafka"),
		"sized":         set("sizing.agents=100", "sizing.rps=100000", "sizing.retentionDays=30"),
		"overlaid": set("gateway.alternateConfig.exporters.ch_batch.routing=round_robin",
			"gateway.alternateConfig.receivers.avika.trusted_proxies={10.0.0.0/8}"),
	}
	for name, files := range profiles {
		all[name] = profile(files...)
	}
	return all
}

// TestConfigurationsAreValid: the gateway takes each rendered configuration under the rendered environment.
func TestConfigurationsAreValid(t *testing.T) {
	for name, args := range installations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := render(t, args...)
			validate(t, m, "avika-gateway")
			if m.pods()["avika-writer"] != nil {
				validate(t, m, "avika-writer")
			}
		})
	}
}

func validate(t *testing.T, m *manifests, name string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".yaml")
	require.NoError(t, os.WriteFile(file, []byte(m.relay(name)), 0o600))
	cmd := exec.CommandContext(t.Context(), harness.Binary(t, "otelcol-avika"), "validate", "--config", file)
	for key, value := range m.env(name) {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// TestDeploymentKeepsNothingOnDisk, TestStatefulSetKeepsTheQueueOnDisk: what a stop may leave is where the next start finds it.
func TestDeploymentKeepsNothingOnDisk(t *testing.T) {
	config := render(t).config("avika-gateway")
	assert.Empty(t, at(t, config, "exporters", "ch_batch", "sending_queue"))
	assert.Equal(t, "30s", at(t, config, "exporters", "ch_batch", "drain_timeout"))
	assert.NotContains(t, at(t, config, "service", "extensions"), "file_storage")
}

func TestStatefulSetKeepsTheQueueOnDisk(t *testing.T) {
	m := render(t, set("gateway.mode=statefulset", "queue.size=20Gi", "queue.storageClass=fast")...)
	config := m.config("avika-gateway")
	assert.Equal(t, "file_storage", at(t, config, "exporters", "ch_batch", "sending_queue", "storage"))
	assert.Equal(t, true, at(t, config, "extensions", "file_storage", "fsync"))
	assert.Contains(t, at(t, config, "service", "extensions"), "file_storage")
	claim := statefulSet(m, "avika-gateway").Spec.VolumeClaimTemplates[0]
	assert.Equal(t, []string{"state", "20Gi", "fast"},
		[]string{claim.Name, claim.Spec.Resources.Requests.Storage().String(), *claim.Spec.StorageClassName})
	for _, mount := range m.pods()["avika-gateway"].Containers[0].VolumeMounts {
		if mount.Name == "state" {
			assert.Equal(t, "/var/lib/otelcol-avika", mount.MountPath)
		}
	}
}

func TestSecretsReachTheConfiguration(t *testing.T) {
	config := render(t, installations()["keys, TLS, token"]...).config("avika-gateway")
	assert.Equal(t, map[string]any{"key_file": "/etc/avika/psk/psk"}, at(t, config, "receivers", "avika", "psk"))
	want := map[string]any{
		"cert_file": "/etc/avika/tls/tls.crt", "key_file": "/etc/avika/tls/tls.key", "client_ca_file": "/etc/avika/tls/ca.crt",
		"reload_interval": "1h",
	}
	assert.Equal(t, want, at(t, config, "receivers", "avika", "tls"))
	assert.Equal(t, want, at(t, config, "receivers", "otlp", "protocols", "grpc", "tls"))
	assert.Equal(t, want, at(t, config, "receivers", "otlp", "protocols", "http", "tls"))
	delete(want, "client_ca_file") // browsers have no certificate; they have the token
	assert.Equal(t, want, at(t, config, "extensions", "agent_registry", "http", "tls"))
	assert.Equal(t, "bearertokenauth", at(t, config, "extensions", "agent_registry", "http", "auth", "authenticator"))
	assert.Equal(t, "bearertokenauth", at(t, config, "service", "extensions").([]any)[0], "it starts before the registry asks for it")
}

func TestRetentionIsTheTTL(t *testing.T) {
	ttl := func(args ...string) any {
		return at(t, render(t, append(args, "--set", "sizing.retentionDays=30")...).config("avika-gateway"), "exporters", "ch_batch", "ttl")
	}
	assert.Equal(t, map[string]any{
		"access_logs": "720h", "error_logs": "720h", "otel_traces": "720h", "otel_traces_trace_id_ts": "720h",
	}, ttl())
	assert.Equal(t, map[string]any{"access_logs": "720h", "error_logs": "720h"}, ttl(installations()["managed servers"]...),
		"traces there may be somebody else's")
}

func TestOverlayWins(t *testing.T) {
	config := render(t, installations()["overlaid"]...).config("avika-gateway")
	assert.Equal(t, "round_robin", at(t, config, "exporters", "ch_batch", "routing"))
	assert.Equal(t, "agent_registry", at(t, config, "receivers", "avika", "registry"), "the rest stays")
	assert.NotContains(t, config, "planned")
}

func TestEnvironmentOfManagedServers(t *testing.T) {
	m := render(t, installations()["managed servers"]...)
	env := m.env("avika-gateway")
	assert.Equal(t, "ch-1:9440,ch-2:9440", env["CLICKHOUSE_ENDPOINT"])
	assert.Equal(t, "SECRET ch/password", env["CLICKHOUSE_PASSWORD"])
	assert.Equal(t, "postgres://avika@pg:5432/avika?sslmode=verify-full", env["POSTGRES_DSN"])
	assert.Equal(t, "SECRET pg/password", env["PGPASSWORD"])
	for _, server := range []string{"avika-clickhouse", "avika-postgresql", "avika-redpanda"} {
		assert.NotContains(t, m.pods(), server)
	}
	tls := at(t, m.config("avika-gateway"), "exporters", "ch_batch", "tls")
	assert.Equal(t, map[string]any{"ca_file": "/etc/avika/clickhouse/ca.crt"}, tls)
}

// TestGivenEnvironmentWins: also over GOMEMLIMIT, which the official chart sets by itself.
func TestGivenEnvironmentWins(t *testing.T) {
	env := render(t, set("gateway.extraEnvs[0].name=CH_LOG_BATCH_SIZE", "gateway.extraEnvs[0].value=777",
		"gateway.extraEnvs[1].name=GOMEMLIMIT", "gateway.extraEnvs[1].value=300MiB")...).env("avika-gateway")
	assert.Equal(t, "777", env["CH_LOG_BATCH_SIZE"])
	assert.Equal(t, "300MiB", env["GOMEMLIMIT"])
}
