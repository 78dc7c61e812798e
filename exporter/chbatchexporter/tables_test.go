package chbatchexporter

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
)

// otherLogs are records that are not NGINX's.
func otherLogs(n int) plog.Logs {
	ld := accessLogs(0, n)
	for _, rec := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		rec.SetEventName("")
	}
	return ld
}

// TestTablesThatAreMade need nothing ON CLUSTER, which waits for every server, also for one that is down.
func TestTablesThatAreMade(t *testing.T) {
	cfg := testConfig(t)
	startInserter(t, cfg)
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".avika_schema_versions")
	for _, table := range rows.Tables() {
		sql(t, "RENAME TABLE "+cfg.Database+"."+table+" TO "+cfg.Database+"."+table+schema.LocalSuffix)
	}
	core, logs := zapobserver.New(zap.WarnLevel)
	set := settings()
	set.Logger = zap.New(core)
	next := *cfg
	next.Schema.Cluster = "nowhere" // all that is said ON it fails
	e := startLogs(t, &next, set, nopHost())
	send(t, e, 0, 10)
	eventually(t, "10", countAccess(cfg)+schema.LocalSuffix)
	require.Empty(t, logs.All())
}

// TestATableThatCannotBeMade keeps no other one from being made.
func TestATableThatCannotBeMade(t *testing.T) {
	cfg := testConfig(t)
	cfg.Schema.TTL = map[string]time.Duration{"otel_logs": 0}
	sql(t, "CREATE DATABASE "+cfg.Database)
	sql(t, "CREATE VIEW "+cfg.Database+".access_logs AS SELECT 1 AS x")
	e := startLogs(t, cfg, settings(), nopHost())
	require.NoError(t, e.ConsumeLogs(context.Background(), otherLogs(10)))
	eventually(t, "10", "SELECT count() FROM "+cfg.Database+".otel_logs")
}

// TestAColumnThatComesBack is written again, also one that had a type that its values cannot be converted to.
func TestAColumnThatComesBack(t *testing.T) {
	for name, column := range map[string]string{"missing": "", "retyped": "ADD COLUMN upstream_response_time Array(Float32)"} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			in := startInserter(t, cfg)
			require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), accessBlock(t, "first", 10)))
			change := "ALTER TABLE " + cfg.Database + ".access_logs "
			sql(t, change+"DROP COLUMN upstream_response_time")
			if column != "" {
				sql(t, change+column)
			}
			r := accessBlock(t, "without", 10)
			require.Equal(t, blockqueue.Retry, in.Insert(t.Context(), r).Class)
			require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), r))
			if column != "" {
				sql(t, change+"DROP COLUMN upstream_response_time")
			}
			sql(t, change+"ADD COLUMN upstream_response_time Float32")
			known := in.endpoints[0].tables.Load()
			require.False(t, known.recheck.IsZero())
			due := *known
			due.recheck = time.Now()
			in.endpoints[0].tables.Store(&due)
			for _, token := range []string{"looks", "knows"} {
				require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), accessBlock(t, token, 10)))
			}
			require.True(t, in.endpoints[0].tables.Load().recheck.IsZero(), "all is as it should be")
			require.Equal(t, "10", mustQuery(t, "SELECT countIf(upstream_response_time > 0) FROM "+cfg.Database+".access_logs"))
		})
	}
}

// TestGrantsOnADatabaseOfContribsExporter are those of the shipped user, and CREATE DATABASE is not needed.
func TestGrantsOnADatabaseOfContribsExporter(t *testing.T) {
	c := rightsCase{name: "nginx_analytics"}
	for _, g := range shippedGrants(t) {
		c.grants = append(c.grants, strings.Replace(g, "CREATE DATABASE, ", "", 1))
	}
	serverWith(t, []rightsCase{c})
	cfg := testConfig(t)
	cfg.Database, cfg.Username = c.name, c.name
	sql(t, "CREATE DATABASE "+c.name)
	sql(t, strings.NewReplacer("%s.", c.name+".", "%s", ", EventName String").Replace(contribLogs))
	core, logs := zapobserver.New(zap.WarnLevel)
	set := settings()
	set.Logger = zap.New(core)
	e := startLogs(t, cfg, set, nopHost())
	require.NoError(t, e.ConsumeLogs(context.Background(), otherLogs(10)))
	send(t, e, 0, 10)
	eventually(t, "10", "SELECT count() FROM "+c.name+".otel_logs")
	eventually(t, "10", countAccess(cfg))
	require.Empty(t, logs.All())
	require.Contains(t, mustQuery(t, "SELECT engine_full FROM system.tables WHERE name = 'otel_logs' AND database = '"+c.name+"'"),
		"non_replicated_deduplication_window = 10000")
}

// TestALocalTableOfSomebodyElse says nothing of the table beside it where there is no cluster.
func TestALocalTableOfSomebodyElse(t *testing.T) {
	cfg := testConfig(t)
	cfg.Schema.TTL = map[string]time.Duration{"otel_logs": 0}
	sql(t, "CREATE DATABASE "+cfg.Database)
	contrib := strings.NewReplacer("%s.", cfg.Database+".", "%s", "")
	sql(t, contrib.Replace(contribLogs))
	sql(t, strings.Replace(contrib.Replace(contribLogs), ".otel_logs ", ".otel_logs_local ", 1))
	sql(t, "ALTER TABLE "+cfg.Database+".otel_logs_local ADD COLUMN EventName String")
	e := startLogs(t, cfg, settings(), nopHost())
	require.NoError(t, e.ConsumeLogs(context.Background(), otherLogs(10)))
	eventually(t, "10", "SELECT count() FROM "+cfg.Database+".otel_logs")
}
