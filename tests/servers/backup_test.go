package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// These are the commands of docs/operations.md, "Backup and restore".

const rows = "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs"

func requireRows(t *testing.T, ch *harness.ClickHouse, want int) {
	t.Helper()
	require.Eventually(t, func() bool { return ch.Uint(quiet{}, rows) == uint64(want) }, harness.WaitFor, harness.Tick,
		"%d rows, want %d", ch.Uint(quiet{}, rows), want)
	require.EqualValues(t, want, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"), "no row twice")
	rollup := "SELECT sum(requests) FROM nginx_analytics.traffic_5min" // an insert is done when its views are
	require.Eventually(t, func() bool { return ch.Uint(quiet{}, rollup) == uint64(want) }, harness.WaitFor, harness.Tick, "%s", rollup)
}

// TestClickHouseBackup: a backup and an incremental one bring everything back, and the gateway goes on.
func TestClickHouseBackup(t *testing.T) {
	ch := startTuned(t, "deploy/clickhouse")
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	send := func() { harness.RunFleet(t, g.AgentAddr(), "--agents", "2", "--rate", "500", "--total", "500") }
	send()
	requireRows(t, ch, 500)
	ch.Exec(t, "BACKUP DATABASE nginx_analytics TO File('sunday')")
	send()
	requireRows(t, ch, 1000)
	ch.Exec(t, "BACKUP DATABASE nginx_analytics TO File('monday') SETTINGS base_backup = File('sunday')")
	g.Stop()
	ch.Exec(t, "DROP DATABASE nginx_analytics SYNC")
	ch.Exec(t, "RESTORE DATABASE nginx_analytics FROM File('monday')")
	requireRows(t, ch, 1000)
	g.Start()
	send()
	requireRows(t, ch, 1500)
}

// TestPostgresBackup: the registry's schema comes back with what it knew.
func TestPostgresBackup(t *testing.T) {
	ch := harness.StartClickHouse(t)
	pg, dsn := startTunedPostgres(t)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:gateway", ClickHouse: ch.Addr(), Postgres: dsn})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "3", "--rate", "10", "--total", "30")
	require.Eventually(t, func() bool { return psql(t, dsn, "-c", "SELECT count(*) FROM avika.agents") == "3" }, harness.WaitFor, 10*harness.Tick)
	g.Stop()
	file := filepath.Join(t.TempDir(), "registry.dump")
	run(t, "pg_dump", "--format=custom", "--schema=avika", "--file="+file, dsn)
	psql(t, pg.DSN(), "-c", "DROP DATABASE avika", "-c", "CREATE DATABASE avika OWNER "+postgresRole, "-c", "REVOKE ALL ON DATABASE avika FROM PUBLIC")
	run(t, "pg_restore", "--exit-on-error", "--no-owner", "--dbname="+dsn, file)
	assert.Equal(t, "3", psql(t, dsn, "-c", "SELECT count(*) FROM avika.agents"))
	assert.Equal(t, "f", psql(t, pg.DSN(), "-c", "SELECT has_database_privilege('public', 'avika', 'CONNECT')"), "as roles.sql has it")
	g.Start()
	require.Eventually(t, func() bool { // the gateway is ready without PostgreSQL
		_, body := get(t, g.URL("/api/v1/status"))
		return strings.Contains(body, `"state":"connected"`)
	}, harness.WaitFor, harness.Tick)
}

func run(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", args[0], out)
}

// TestQueueMovesToAnotherMachine: rows that wait on the disk of a gateway are inserted, once, by one that gets its folder.
func TestQueueMovesToAnotherMachine(t *testing.T) {
	ch, pg := harness.StartClickHouse(t), harness.StartPostgres(t)
	require.NoError(t, ch.Kill())
	opts := harness.GatewayOptions{Config: "embedded:gateway", ClickHouse: ch.Addr(), Postgres: pg.DSN()}
	old := harness.StartGateway(t, opts)
	harness.RunFleet(t, old.AgentAddr(), "--agents", "2", "--rate", "500", "--total", "1000")
	old.Stop()
	opts.StateDir, opts.ID = filepath.Join(t.TempDir(), "state"), "gateway-2"
	require.NoError(t, os.CopyFS(opts.StateDir, os.DirFS(old.StateDir)))
	require.NoError(t, ch.Restart(t.Context()))
	harness.StartGateway(t, opts)
	requireRows(t, ch, 1000)
}
