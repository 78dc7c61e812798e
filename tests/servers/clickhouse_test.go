package servers

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// Passwords that the shipped users take from the server's environment.
const (
	gatewayPassword = "of the gateways"
	readerPassword  = "of the dashboards"
)

// startTuned runs a ClickHouse as an administrator would set it up: its own config.xml and users.xml, and the shipped
// folders copied beside them, in this order.
func startTuned(t *testing.T, folders ...string) *harness.ClickHouse {
	t.Helper()
	for i := range folders {
		folders[i] = filepath.Join(harness.Root(t), folders[i])
	}
	return startTunedAt(t, localstack.ClickHouseOptions{}, folders...)
}

func startTunedAt(t *testing.T, opts localstack.ClickHouseOptions, folders ...string) *harness.ClickHouse {
	t.Helper()
	t.Setenv("AVIKA_CLICKHOUSE_PASSWORD", gatewayPassword)
	t.Setenv("AVIKA_CLICKHOUSE_READER_PASSWORD", readerPassword)
	etc := t.TempDir()
	require.NoError(t, os.CopyFS(etc, os.DirFS("testdata/clickhouse")))
	for _, folder := range folders {
		for _, part := range []string{"config.d", "users.d"} {
			copyFiles(t, filepath.Join(folder, part), filepath.Join(etc, part))
		}
	}
	opts.ConfigFile = filepath.Join(etc, "config.xml")
	return harness.StartClickHouseWith(t, opts)
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, files, from)
	require.NoError(t, os.MkdirAll(to, 0o755))
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o644))
	}
}

// TestClickHouseTuning: the guide's values are what a server works with.
func TestClickHouseTuning(t *testing.T) {
	ch := startTuned(t, "deploy/clickhouse")
	for name, want := range map[string]string{
		"max_server_memory_usage_to_ram_ratio": "0.8",
		"max_connections":                      "1000",
		"max_concurrent_queries":               "200",
		"background_pool_size":                 "16",
		"background_schedule_pool_size":        "16",
		"async_insert_threads":                 "8",
	} {
		assert.Equal(t, want, ch.String(t, "SELECT value FROM system.server_settings WHERE name = ?", name), name)
	}
	for name, want := range map[string]string{
		"max_memory_usage":             "12000000000",
		"async_insert":                 "1",
		"async_insert_max_data_size":   "10000000",
		"async_insert_busy_timeout_ms": "50",
	} {
		assert.Equal(t, want, ch.String(t, "SELECT value FROM system.settings WHERE name = ?", name), name)
	}
	ch.Exec(t, "SYSTEM FLUSH LOGS")
	assert.Contains(t, ch.String(t, "SELECT engine_full FROM system.tables WHERE database = 'system' AND name = 'query_log'"),
		"TTL event_date + toIntervalDay(7)")
}

// TestClickHouseUsers: the gateway works as its user, makes the schema included, and can do nothing else; dashboards read.
func TestClickHouseUsers(t *testing.T) {
	ch := startTuned(t, "deploy/clickhouse")
	stores := func(lines int, args ...string) {
		g := harness.StartGateway(t, harness.GatewayOptions{
			Config: "embedded:quickstart", ClickHouse: ch.Addr(),
			Env:  []string{"CLICKHOUSE_USERNAME=avika", "CLICKHOUSE_PASSWORD=" + gatewayPassword},
			Args: args,
		})
		defer g.Stop()
		harness.RunFleet(t, g.AgentAddr(), "--agents", "4", "--rate", "500", "--total", "2000")
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			assert.EqualValues(c, lines, ch.Uint(c, "SELECT count() FROM nginx_analytics.access_logs"))
			assert.EqualValues(c, lines, ch.Uint(c, "SELECT sum(requests) FROM nginx_analytics.traffic_5min"))
			assert.NotZero(c, ch.Uint(c, "SELECT count() FROM nginx_analytics.spans"))
			assert.NotZero(c, ch.Uint(c, "SELECT count() FROM nginx_analytics.nginx_metrics"))
		}, harness.WaitFor, harness.Tick)
	}
	stores(2000)
	// Tables that exist are aligned before rows are inserted.
	stores(4000, "--set=exporters::ch_batch::ttl::access_logs=48h", "--set=exporters::ch_batch::deduplication_window=5000")
	table := ch.String(t, "SELECT create_table_query FROM system.tables WHERE database = 'nginx_analytics' AND name = 'access_logs'")
	assert.Contains(t, table, "toIntervalDay(2)")
	assert.Contains(t, table, "non_replicated_deduplication_window = 5000")
	refusals := func() string {
		return ch.String(t, "SELECT arrayStringConcat(groupArray(last_error_message), '\n') FROM system.errors WHERE name = 'ACCESS_DENIED'")
	}
	assert.Empty(t, refusals(), "the gateway was refused something")

	gateway := userOf(t, ch, "avika", gatewayPassword)
	for _, statement := range []string{
		"DROP TABLE nginx_analytics.access_logs", "TRUNCATE TABLE nginx_analytics.access_logs",
		"DELETE FROM nginx_analytics.access_logs WHERE 1", "ALTER TABLE nginx_analytics.access_logs DROP COLUMN raw",
		"CREATE USER mallory", "CREATE DATABASE other", "SHOW USERS", "SYSTEM SHUTDOWN",
	} {
		gateway.refused(t, statement)
	}
	assert.NotEmpty(t, refusals(), "the server counts what it refuses")
	reader := userOf(t, ch, "avika_reader", readerPassword)
	reader.allowed(t, "SELECT count() FROM nginx_analytics.access_logs")
	ch.Exec(t, "SYSTEM FLUSH LOGS") // it makes their tables
	for _, table := range systemTablesOfDashboards(t) {
		reader.allowed(t, "SELECT * FROM "+table+" LIMIT 1")
	}
	reader.refused(t, "INSERT INTO nginx_analytics.access_logs (instance_id) VALUES ('x')")
	reader.refused(t, "DROP TABLE nginx_analytics.access_logs")
	reader.refused(t, "SHOW USERS")
}

// systemTablesOfDashboards are the server's own tables that panels read, as the user who may only read.
func systemTablesOfDashboards(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(harness.Root(t), "deploy/grafana/dashboards/*.json"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		names = append(names, regexp.MustCompile(`\bsystem\.\w+`).FindAllString(string(text), -1)...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	require.NotEmpty(t, names)
	return names
}
