package chbatchexporter

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadatatest"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// rightsConfig is a server with users of few rights: the file's own path, the users, and the port of the server.
const rightsConfig = `<clickhouse>
  <users_config>%s</users_config>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </default>
    %s
  </users>
  <remote_servers>
    <itself><shard><replica><host>127.0.0.1</host><port>%d</port></replica></shard></itself>
  </remote_servers>
</clickhouse>
`

const rightsUser = `<%[1]s>
      <password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
      <grants>%[2]s</grants>
    </%[1]s>
`

// temporary are the rights to make a table like the one in doubt.
var temporary = []string{"CREATE ARBITRARY TEMPORARY TABLE ON *.*", "TABLE ENGINE ON MergeTree"}

// rightsCase is a duplicate in doubt of a user with these rights. Its name is that of the user and of the database.
type rightsCase struct {
	name   string
	grants []string
	// distributed: the table that is inserted into passes its rows on.
	distributed bool
	// lost is what the table has after its rows were lost and have come again, rollup how many the rollup has counted then.
	lost, rollup string
	// results of checks: of rows that are there, of lost ones, and of ones that are lost once more.
	results [3]string
	// log is in the line for each insert that is not simply stored, cause in its error.
	log, cause string
}

func rightsCases(t *testing.T) []rightsCase {
	t.Helper()
	const unsure, again = "does not let its rows be looked for", "its views count them twice"
	unknown := [3]string{"unknown", "unknown", "unknown"}
	return []rightsCase{
		{
			name: "nginx_analytics", grants: shippedGrants(t),
			lost: "10,10", rollup: "10", results: [3]string{"stored", "restored", "restored"}, log: "they are inserted again",
		},
		{
			name: "no_temporary_table", grants: []string{"SELECT, INSERT ON no_temporary_table.*"},
			lost: "0,0", rollup: "10", results: unknown, log: unsure, cause: "the grant CREATE ARBITRARY TEMPORARY TABLE",
		},
		{
			name: "distributed", grants: []string{"ALL ON *.*"}, distributed: true,
			lost: "0,0", results: unknown, log: unsure, cause: "Distributed",
			rollup: "0", // the view goes with the name, and sees nothing of what is passed on
		},
		{
			name: "no_move", grants: noMove("no_move"),
			lost: "10,10", rollup: "20", results: [3]string{"stored", "restored", "restored"}, log: again, cause: "the grant INSERT ON no_move.access_logs",
		},
	}
}

// noMove are grants that let rows be looked for and not put back: MOVE PARTITION needs the right to insert into the table, not only into each of
// its columns.
func noMove(database string) []string {
	var insert []string
	for _, f := range rows.Fields(rows.AccessLogs) {
		insert = append(insert, schema.Quote(f[0]))
	}
	return append(temporary, "SELECT, INSERT("+strings.Join(insert, ", ")+") ON "+database+".access_logs")
}

// shippedGrants are those of the user that deploy/clickhouse has for gateways, on the database nginx_analytics.
func shippedGrants(t *testing.T) (grants []string) {
	t.Helper()
	b, err := os.ReadFile("../../deploy/clickhouse/users.d/avika.xml")
	require.NoError(t, err)
	user, _, _ := strings.Cut(string(b), "</avika>")
	for _, m := range regexp.MustCompile(`<query>GRANT (.*)</query>`).FindAllStringSubmatch(user, -1) {
		grants = append(grants, m[1])
	}
	require.NotEmpty(t, grants)
	return grants
}

// TestDuplicatesAndRights of the exporter's user: rows that are there are never doubled; lost ones are put back, or inserted again where that is not
// allowed, or reported where it is not allowed to find out.
func TestDuplicatesAndRights(t *testing.T) {
	cases := rightsCases(t)
	serverWith(t, cases)
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

// serverWith starts a ClickHouse that has the users of cases, and has the helpers of this package use it.
func serverWith(t *testing.T, cases []rightsCase) {
	t.Helper()
	testenv.ClickHouse(t) // skips where there is none
	var users strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&users, rightsUser, c.name, "<query>GRANT "+strings.Join(c.grants, "</query><query>GRANT ")+"</query>")
	}
	ports, err := localstack.FreePorts(1)
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "server.xml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, rightsConfig, config, users.String(), ports[0]), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := localstack.StartClickHouse(ctx, localstack.ClickHouseOptions{TCPPort: ports[0], ConfigFile: config})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	t.Setenv("AVIKA_TEST_CLICKHOUSE", server.Addr())
}

func (c rightsCase) run(t *testing.T) {
	cfg := identifying(t)
	cfg.Database = c.name
	table := c.makeTables(t, cfg)

	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := zapobserver.New(zap.WarnLevel)
	set := settings()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	cfg.Username, cfg.Schema.CreateSchema = c.name, false
	e := startLogs(t, cfg, set, nopHost())
	for round, want := range []string{"10,10", "10,10", c.lost, c.lost} {
		if round > 1 {
			lose(t, cfg, table, "1")
		}
		require.NoError(t, e.ConsumeLogs(fromKafka(0, 0), accessLogs(0, 10)))
		require.Equal(t, want, mustQuery(t, countRows(cfg, table, "request_id")), "delivery %d", round)
		if round == 2 {
			require.Equal(t, c.rollup, mustQuery(t, "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min"))
		}
	}
	c.requireReported(t, tel, logs)
}

// makeTables with the rights that the exporter does not have, and returns the one that keeps the rows.
func (c rightsCase) makeTables(t *testing.T, cfg *Config) string {
	t.Helper()
	own := *cfg
	require.NoError(t, startLogs(t, &own, settings(), nopHost()).ConsumeLogs(fromKafka(9, 9), accessLogs(0, 1)))
	lose(t, cfg, "access_logs", "1")
	sql(t, "TRUNCATE TABLE "+cfg.Database+".traffic_5min")
	if !c.distributed {
		return "access_logs"
	}
	sql(t, "RENAME TABLE "+cfg.Database+".access_logs TO "+cfg.Database+".kept")
	sql(t, "CREATE TABLE "+cfg.Database+".access_logs AS "+cfg.Database+".kept ENGINE = Distributed(itself, "+cfg.Database+", kept)")
	return "kept"
}

// requireReported checks the counter and the lines.
func (c rightsCase) requireReported(t *testing.T, tel *componenttest.Telemetry, logs *zapobserver.ObservedLogs) {
	t.Helper()
	results := map[string]int64{}
	lines := 0
	for _, r := range c.results {
		results[r]++
		if r != "stored" {
			lines++
		}
	}
	var points []metricdata.DataPoint[int64]
	for r, n := range results {
		points = append(points, point(n, "table", "access_logs", "result", r)...)
	}
	metadatatest.AssertEqualExporterChBatchDuplicatesChecked(t, tel, points, metricdatatest.IgnoreTimestamp())
	found := logs.Filter(func(e zapobserver.LoggedEntry) bool { return strings.Contains(e.Message, c.log) }).All()
	require.Len(t, found, lines)
	for _, entry := range found {
		require.Equal(t, "access_logs", entry.ContextMap()["table"])
		require.Contains(t, fmt.Sprint(entry.ContextMap()["error"]), c.cause)
	}
}

// TestRowsThatAreLostUnderEveryToken are not reported as restored: the queue divides what is refused, and dead-letters it in the end.
func TestRowsThatAreLostUnderEveryToken(t *testing.T) {
	c := rightsCase{name: "lost", grants: noMove("lost")}
	serverWith(t, []rightsCase{c})
	cfg := identifying(t)
	cfg.Database = c.name
	c.makeTables(t, cfg)
	cfg.Username, cfg.Schema.CreateSchema = c.name, false
	e, ok := startLogs(t, cfg, settings(), nopHost()).(*logsExporter)
	require.True(t, ok)
	r := blockqueue.Request{Table: rows.AccessLogs, Token: "token", Blocks: []*nativeblock.Sealed{sealedAccess(t, e)}, Attempt: 1}
	for tries := range 1 + maxAgain {
		tried := r
		tried.Token += strings.Repeat("-again", tries)
		require.Equal(t, blockqueue.Outcome{}, e.backend.in.Insert(t.Context(), tried), "stored")
	}
	lose(t, cfg, "access_logs", "1")
	r.Attempt, r.Doubtful = 2, true
	o := e.backend.in.Insert(t.Context(), r)
	require.ErrorIs(t, o.Err, errLost)
	o.Err = nil
	require.Equal(t, blockqueue.Outcome{Class: blockqueue.Permanent, Code: "lost"}, o)
}

// sealedAccess is a block of one access record.
func sealedAccess(t *testing.T, e *logsExporter) *nativeblock.Sealed {
	t.Helper()
	b, ok := e.newBuilder(rows.AccessLogs).(*rows.Access)
	require.True(t, ok)
	rl := accessLogs(0, 1).ResourceLogs().At(0)
	b.Append(rows.NewResource(rl.Resource().Attributes(), ""), rl.ScopeLogs().At(0).LogRecords().At(0))
	comp, err := nativeblock.NewCompressor(nativeblock.LZ4)
	require.NoError(t, err)
	sealed, err := b.Block().Seal(comp)
	require.NoError(t, err)
	return sealed
}
