package watch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/tests/harness"
)

var inCode = regexp.MustCompile("`((?:nginx_gateway|otelcol|ClickHouse[A-Za-z]*|promhttp|target)_\\w+)`")

// documented are the names in the first columns of docs/metrics.md.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for line := range strings.Lines(read(t, harness.Root(t), "docs", "metrics.md")) {
		if cell, is := strings.CutPrefix(line, "| `"); is {
			cell, _, _ = strings.Cut(cell, " | ")
			for _, m := range inCode.FindAllStringSubmatch("`"+cell, -1) {
				names[m[1]] = true
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

// testMetricsAreDocumented: whatever the gateway says of itself is on the page.
func (s *site) testMetricsAreDocumented(t *testing.T) {
	known := documented(t)
	for name := range s.gateway.Metrics(t) {
		assert.Contains(t, known, name, "docs/metrics.md")
	}
}

// TestMetricsOfTheQueueAreDocumented: the same with Kafka between two gateways.
func TestMetricsOfTheQueueAreDocumented(t *testing.T) {
	queue, ch := harness.StartQueue(t), harness.StartClickHouse(t)
	topics := exec.Command(harness.Binary(t, "avika-topics"))
	topics.Env = append(os.Environ(), queue.Env()...)
	out, err := topics.CombinedOutput()
	require.NoError(t, err, "%s", out)
	ingest := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:ingest", Env: queue.Env()})
	writer := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:writer", ClickHouse: ch.Addr(), Writer: true, Env: queue.Env()})
	harness.RunFleet(t, ingest.AgentAddr(), "--agents", "2", "--rate", "100", "--total", "500")
	require.Eventually(t, func() bool {
		m := writer.Metrics(t)
		return m.Sum("otelcol_exporter_ch_batch_rows_inserted_total", map[string]string{"table": "access_logs"}) == 500 &&
			m.Has("otelcol_extension_kafka_lag_records")
	}, harness.WaitFor, 4*harness.Tick)
	known := documented(t)
	for _, g := range []*harness.Gateway{ingest, writer} {
		for name := range g.Metrics(t) {
			assert.Contains(t, known, name, "docs/metrics.md")
		}
	}
}

// TestOwnMetricsExist: what the page says of our components is in their metadata, and the other way round.
func TestOwnMetricsExist(t *testing.T) {
	own := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(harness.Root(t), "*", "*", "metadata.yaml"))
	require.NoError(t, err)
	require.Greater(t, len(files), 2)
	for _, file := range files {
		for _, name := range metadata(t, file) {
			own[name] = true
		}
	}
	prefixes := regexp.MustCompile(`^(nginx_gateway_|otelcol_(receiver_avika|exporter_ch_batch|extension_agent_registry|extension_kafka_lag|extension_otlp_encoding|processor_record_limit)_)`)
	known := documented(t)
	for name := range known {
		if prefixes.MatchString(name) {
			assert.Contains(t, own, name, "docs/metrics.md says more than metadata.yaml")
		}
	}
	for name := range own {
		assert.Contains(t, known, name, "docs/metrics.md")
	}
}

// metadata are the names of a component's metrics as Prometheus has them, from its metadata.yaml.
func metadata(t *testing.T, path string) (names []string) {
	t.Helper()
	var file struct {
		Telemetry struct {
			Metrics map[string]struct {
				Prefix, Unit string
				Sum          *struct{ Monotonic bool }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, path)), &file))
	for name, m := range file.Telemetry.Metrics {
		prefix := m.Prefix
		if prefix == "" {
			prefix = "otelcol_"
		}
		name = prefix + name + map[string]string{"s": "_seconds", "By": "_bytes"}[m.Unit]
		if m.Sum != nil && m.Sum.Monotonic {
			name += "_total"
		} else if m.Unit == "By" {
			name = strings.ReplaceAll(name, "_bytes_bytes", "_bytes")
		}
		names = append(names, name)
	}
	return names
}

// TestClickHouseMetricsExist: the real engine has what the page says of it. Its asynchronous metrics do not run in the
// engine of the tests; their names are in its library.
func TestClickHouseMetricsExist(t *testing.T) {
	ch := harness.StartClickHouse(t)
	sources := map[string]string{"ClickHouseProfileEvents_": "events", "ClickHouseMetrics_": "metrics"}
	for name := range documented(t) {
		for prefix, table := range sources {
			if metric, is := strings.CutPrefix(name, prefix); is {
				column := strings.TrimSuffix(table, "s")
				settings := map[string]string{"events": " SETTINGS system_events_show_zero_values = 1"}[table]
				assert.EqualValues(t, 1, ch.Uint(t, "SELECT count() FROM system."+table+" WHERE "+column+" = '"+metric+"'"+settings), name)
			}
		}
	}
	library, err := localstack.EngineLibrary()
	if err != nil {
		testenv.Missing(t, "the engine whose code has the names: "+err.Error())
	}
	code, err := os.ReadFile(library)
	require.NoError(t, err)
	for name := range documented(t) {
		if metric, is := strings.CutPrefix(name, "ClickHouseAsyncMetrics_"); is {
			assert.True(t, bytes.Contains(code, []byte(strings.TrimSuffix(metric, "default"))), name)
		}
	}
}
