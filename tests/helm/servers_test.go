package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// The test's servers listen on loopback, whatever a pod's do.
var listen = regexp.MustCompile(`<listen_(host|try)>[^<]*</listen_(host|try)>`)

// startClickHouse runs a server with the files and the environment of the rendered pod.
func startClickHouse(t *testing.T, m *manifests) *harness.ClickHouse {
	t.Helper()
	for name, value := range m.env("avika-clickhouse") {
		t.Setenv(name, value)
	}
	etc := t.TempDir()
	require.NoError(t, os.CopyFS(etc, os.DirFS("testdata/clickhouse")))
	for folder, name := range map[string]string{"config.d": "avika-clickhouse", "users.d": "avika-clickhouse-users"} {
		require.NoError(t, os.Mkdir(filepath.Join(etc, folder), 0o755))
		for file, content := range configMap(m, name).Data {
			content = listen.ReplaceAllString(content, "")
			require.NoError(t, os.WriteFile(filepath.Join(etc, folder, file), []byte(content), 0o644))
		}
	}
	return harness.StartClickHouseWith(t, localstack.ClickHouseOptions{ConfigFile: filepath.Join(etc, "config.xml")})
}

// TestClickHouseTakesTheFiles: a server works with what the chart renders, and queries get a share of the pod's memory.
func TestClickHouseTakesTheFiles(t *testing.T) {
	m := render(t, set("clickhouse.password=secret", "clickhouse.resources.limits.memory=4Gi",
		"clickhouse.extraConfig=<clickhouse><max_concurrent_queries>150</max_concurrent_queries></clickhouse>")...)
	ch := startClickHouse(t, m)
	setting := func(name string) string {
		return ch.String(t, "SELECT value FROM system.settings WHERE name = ?", name)
	}
	assert.Equal(t, "3006477107", setting("max_memory_usage"), "70 % of 4Gi")
	assert.Equal(t, "1", setting("async_insert"))
	assert.Equal(t, "150", ch.String(t, "SELECT value FROM system.server_settings WHERE name = 'max_concurrent_queries'"), "extraConfig wins")
	assert.Equal(t, "localhost", ch.String(t, `SELECT arrayStringConcat(arraySort(arrayConcat(
		host_ip, host_names, host_names_regexp, host_names_like)), ',') FROM system.users WHERE name = 'default'`))
	assert.EqualValues(t, 2, ch.Uint(t, "SELECT count() FROM system.users WHERE name IN ('avika', 'avika_reader')"))
}

// TestPostgresTakesTheLines of extendedConfiguration, those of the guide.
func TestPostgresTakesTheLines(t *testing.T) {
	conf := configMap(render(t, profile("enterprise")...), "avika-postgresql").Data["postgresql.conf"]
	_, lines, found := strings.Cut(conf, "extendedConfiguration\n")
	require.True(t, found, conf)
	var settings []string
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		settings = append(settings, name+"="+value)
	}
	require.NoError(t, localstack.HavePostgres())
	pg, err := localstack.StartPostgres(t.Context(), localstack.PostgresOptions{Settings: settings})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	for _, setting := range settings {
		name, want, _ := strings.Cut(setting, "=")
		out, err := exec.CommandContext(t.Context(), "psql", pg.DSN(), "-Atc", "SHOW "+name).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, want, strings.TrimSpace(string(out)), name)
	}
}
