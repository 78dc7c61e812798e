package exporter

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

const trafficRows = "SELECT sum(requests) FROM " + harness.Database + ".traffic_5min"

// rollupHas waits for the rollup: a view gets rows just after the table.
func rollupHas(t testing.TB, ch *harness.ClickHouse, rows int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, rows, ch.Uint(c, trafficRows))
	}, storedWithin, 100*time.Millisecond, "rollup")
}

// TestColumnsChangeWhileDataFlows: what a column held is lost with it, no row is. A number that has become a text breaks
// the rollup that sums it, but not the table.
func TestColumnsChangeWhileDataFlows(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	g := startGateway(t, ch.Addr(), onDisk...)
	s := newSender(t, g)
	s.makesTables(t, ch)
	during(s, 5000, func() {
		for _, change := range []string{
			"DROP COLUMN referer", "MODIFY COLUMN user_agent LowCardinality(String)", "MODIFY COLUMN body_bytes_sent String",
			"ADD COLUMN extra String DEFAULT 'x'", "ADD COLUMN referer String",
		} {
			ch.Exec(t, "ALTER TABLE "+accessLogs+" "+change)
			time.Sleep(time.Second)
		}
	})
	s.exactlyOnce(t, ch)
	assert.Zero(t, ch.Uint(t, "SELECT count() FROM "+accessLogs+" WHERE user_agent = '' OR body_bytes_sent = '' OR extra != 'x'"))
}

// TestTheTableIsDropped while rows come in: it is made again, and its rollups go on. A view of the test's own keeps the ids
// of what goes with the table.
func TestTheTableIsDropped(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	g := startGateway(t, ch.Addr())
	s := newSender(t, g)
	s.run(1000, time.Second)
	s.exactlyOnce(t, ch)
	s.table = harness.Database + ".seen"
	ch.Exec(t, "CREATE TABLE "+s.table+" (request_id String) ENGINE = MergeTree ORDER BY request_id SETTINGS non_replicated_deduplication_window = 1000")
	ch.Exec(t, "INSERT INTO "+s.table+" SELECT request_id FROM "+accessLogs)
	ch.Exec(t, "CREATE MATERIALIZED VIEW "+s.table+"_mv TO "+s.table+" AS SELECT request_id FROM "+accessLogs)
	during(s, 5000, func() {
		for range 2 {
			ch.Exec(t, "DROP TABLE "+accessLogs+" SYNC")
			time.Sleep(2 * time.Second)
		}
	})
	s.exactlyOnce(t, ch)
	rollupHas(t, ch, s.next)
	assert.Less(t, ch.Uint(t, "SELECT count() FROM "+accessLogs), uint64(s.next), "the table was dropped")
}

// TestPoisonRows among good ones: those are stored, bad ones are dead-lettered, and come back when they are welcome.
func TestPoisonRows(t *testing.T) {
	t.Parallel()
	const bad = "body_bytes_sent % 10000 BETWEEN 4321 AND 4323"
	for name, check := range map[string]string{
		"code listed":   "NOT (" + bad + ")",                            // VIOLATED_CONSTRAINT
		"code unlisted": "bitTest(toUInt8(1), if(" + bad + ", 100, 0))", // PARAMETER_OUT_OF_BOUND
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := harness.StartClickHouse(t)
			g := startGateway(t, ch.Addr(), append([]string{
				"--set=exporters::ch_batch::dead_letter::replay=true",
				"--set=exporters::ch_batch::retry_on_failure::initial_interval=50ms", "--set=exporters::ch_batch::retry_on_failure::max_interval=100ms",
			}, onDisk...)...)
			s := newSender(t, g)
			letters := func() uint64 { return uint64(len(deadRows(t, g))) }
			s.makesTables(t, ch)
			during(s, 5000, func() {
				ch.Exec(t, "ALTER TABLE "+accessLogs+" ADD CONSTRAINT good CHECK "+check)
				require.Eventually(t, func() bool { return letters() > 3 }, storedWithin, 100*time.Millisecond, "no row was dead-lettered")
			})
			s.settled(t, ch)
			stored := "SELECT uniqExact(request_id) FROM " + accessLogs
			assert.EqualValues(t, s.acked(), ch.Uint(t, stored)+letters(), "good rows are stored, bad ones are dead-lettered")
			assert.EqualValues(t, goodRows(s), ch.Uint(t, stored+" WHERE NOT ("+bad+")"), "a good row was dead-lettered")
			assert.Equal(t, float64(letters()), g.Metrics(t).Sum("otelcol_exporter_ch_batch_rows_dead_lettered_total", nil))
			ch.Exec(t, "ALTER TABLE "+accessLogs+" DROP CONSTRAINT good")
			g.Restart()
			require.Eventually(t, func() bool { return letters() == 0 }, storedWithin, 100*time.Millisecond, "files of stored rows are removed")
			s.exactlyOnce(t, ch)
		})
	}
}

// goodRows are those of TestPoisonRows that ClickHouse never refuses.
func goodRows(s *sender) (n int) {
	for i := range s.next {
		if r := i % 10_000; r < 4321 || r > 4323 {
			n++
		}
	}
	return n
}

// deadRows are the files of dead letters, which hold a row each.
func deadRows(t testing.TB, g *harness.Gateway) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(g.StateDir, "dead-letter", "access_logs-*.native"))
	require.NoError(t, err)
	return files
}

// TestTwoReplicasMakeTheSchemaAtTheSameTime, while rows come in.
func TestTwoReplicasMakeTheSchemaAtTheSameTime(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	senders := []*sender{}
	gateways := []*harness.Gateway{}
	for _, id := range []string{"gateway-1", "gateway-2"} {
		g := harness.NewGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr(), ID: id})
		g.Launch()
		gateways = append(gateways, g)
	}
	sent := 0
	for i, g := range gateways {
		g.WaitReady()
		s := newSender(t, g)
		s.next = i * 1_000_000
		s.run(2000, time.Second)
		senders = append(senders, s)
		sent += len(s.first) + len(s.again)
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, sent, ch.Uint(c, "SELECT uniqExact(request_id) FROM "+accessLogs))
	}, storedWithin, 100*time.Millisecond, "acknowledged rows are not stored")
	for _, s := range senders {
		s.exactlyOnce(t, ch)
	}
	rollupHas(t, ch, sent)
}

// TestAClusterOfTwoShards: the DDL of a cluster on two servers, rows in local tables, and Distributed tables over them. The
// engine from npm has no Keeper, and refuses ON CLUSTER: the statements run on each server, without ON CLUSTER and
// Replicated. That replicas agree is therefore not shown here.
func TestAClusterOfTwoShards(t *testing.T) {
	t.Parallel()
	first, second := startCluster(t)
	for _, ch := range []*harness.ClickHouse{first, second} {
		makeClusterTables(t, ch)
	}
	g := startGateway(t, first.Addr()+","+second.Addr(), "--set=exporters::ch_batch::routing=shards",
		"--set=exporters::ch_batch::cluster=main", "--set=exporters::ch_batch::create_schema=false")
	s := newSender(t, g)
	s.run(5000, 2*time.Second)
	for _, ch := range []*harness.ClickHouse{first, second} {
		s.exactlyOnce(t, ch) // each server answers for the whole cluster
		rollupHas(t, ch, s.next)
		assert.Positive(t, ch.Uint(t, "SELECT count() FROM "+accessLogs+"_local"))
		assert.Less(t, ch.Uint(t, "SELECT count() FROM "+accessLogs+"_local"), uint64(s.next))
	}
}

func startCluster(t *testing.T) (first, second *harness.ClickHouse) {
	t.Helper()
	ports := harness.Ports(t, 4)
	config := filepath.Join(t.TempDir(), "cluster.xml")
	shard := func(port int) string {
		return "<shard><replica><host>127.0.0.1</host><port>" + strconv.Itoa(port) + "</port></replica></shard>"
	}
	xml := "<clickhouse><remote_servers><main>" + shard(ports[0]) + shard(ports[1]) + "</main></remote_servers></clickhouse>"
	require.NoError(t, os.WriteFile(config, []byte(xml), 0o600))
	start := func(tcp, http int) *harness.ClickHouse {
		return harness.StartClickHouseWith(t, localstack.ClickHouseOptions{TCPPort: tcp, HTTPPort: http, ConfigFile: config})
	}
	return start(ports[0], ports[2]), start(ports[1], ports[3])
}

// withKeeper is what only works with a Keeper.
var withKeeper = regexp.MustCompile("ON CLUSTER `main` |Replicated|(, )?(replicated_deduplication_window|storage_policy)[a-z_]* = [0-9a-z']+")

// makeClusterTables runs the DDL that the exporter's own test compares with what it makes.
func makeClusterTables(t *testing.T, ch *harness.ClickHouse) {
	t.Helper()
	ddl, err := os.ReadFile(filepath.Join(harness.Root(t), "exporter", "chbatchexporter", "internal", "schema", "testdata", "cluster.sql"))
	require.NoError(t, err)
	ch.Exec(t, "CREATE DATABASE IF NOT EXISTS "+harness.Database)
	for _, statement := range strings.Split(strings.TrimSpace(string(ddl)), ";\n") {
		ch.Exec(t, withKeeper.ReplaceAllString(statement, ""))
	}
}
