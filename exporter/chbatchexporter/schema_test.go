package chbatchexporter

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

func send(t testing.TB, e interface {
	ConsumeLogs(context.Context, plog.Logs) error
}, first, n int,
) {
	t.Helper()
	require.NoError(t, e.ConsumeLogs(context.Background(), accessLogs(first, n)))
}

func countAccess(cfg *Config) string { return "SELECT count() FROM " + cfg.Database + ".access_logs" }

func TestSeveralReplicasMakeTheTablesAtTheSameTime(t *testing.T) {
	cfg := testConfig(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := *cfg
			e := startLogs(t, &c, settings(), nopHost())
			assert.NoError(t, e.ConsumeLogs(context.Background(), accessLogs(0, 10)))
		})
	}
	wg.Wait()
	eventually(t, "40", countAccess(cfg))
	assert.Equal(t, "1", mustQuery(t, "SELECT uniqExact(version) FROM "+cfg.Database+".avika_schema_versions"))
}

// contribLogs is the table as version 0.161 of contrib's exporter makes it, without the comments.
const contribLogs = `CREATE TABLE %s.otel_logs (Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), TraceId String, SpanId String, TraceFlags UInt8,
	SeverityText LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String), Body String, ResourceSchemaUrl LowCardinality(String),
	ResourceAttributes Map(LowCardinality(String), String), ScopeSchemaUrl LowCardinality(String), ScopeName String, ScopeVersion LowCardinality(String),
	ScopeAttributes Map(LowCardinality(String), String), LogAttributes Map(LowCardinality(String), String)%s
	) ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
	TTL toDateTime(Timestamp) + toIntervalDay(3000) SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`

func TestATableOfContribsExporterIsTakenAsItIs(t *testing.T) {
	for name, event := range map[string]string{"with event names": ", EventName String", "older": ""} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Schema.TTL = nil // the table keeps its own
			sql(t, "CREATE DATABASE "+cfg.Database)
			sql(t, strings.NewReplacer("%s.", cfg.Database+".", "%s", event).Replace(contribLogs))
			e := startLogs(t, cfg, settings(), nopHost())
			ld := accessLogs(0, 5)
			for _, rec := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				rec.SetEventName("")
			}
			require.NoError(t, e.ConsumeLogs(context.Background(), ld))
			eventually(t, "5", "SELECT count() FROM "+cfg.Database+".otel_logs WHERE LogAttributes['url.path'] = '/products/1'")
			create := mustQuery(t, "SELECT create_table_query FROM system.tables WHERE name = 'otel_logs' AND database = '"+cfg.Database+"'")
			assert.Contains(t, create, "non_replicated_deduplication_window = 10000")
			assert.Contains(t, create, "toIntervalDay(3000)")
			assert.Equal(t, event == "", !strings.Contains(create, "EventName"))
		})
	}
}

func TestColumnsThatAreMissingOrOfOtherTypesAreReported(t *testing.T) {
	cfg := testConfig(t)
	cfg.Schema.CreateSchema = false
	sql(t, "CREATE DATABASE "+cfg.Database)
	sql(t, "CREATE TABLE "+cfg.Database+".access_logs (timestamp DateTime, instance_id String, status String, request_id FixedString(32), labels UInt8, own UInt8 DEFAULT 7) ENGINE = MergeTree ORDER BY timestamp")
	core, logs := zapobserver.New(zap.WarnLevel)
	set := settings()
	set.Logger = zap.New(core)
	e := startLogs(t, cfg, set, nopHost())
	send(t, e, 0, 10)
	eventually(t, "10", countAccess(cfg)+" WHERE own = 7 AND status = '200' AND request_id != '' AND instance_id != ''")
	assert.Equal(t, "0", mustQuery(t, "SELECT DISTINCT toString(labels) AS x FROM "+cfg.Database+".access_logs"), "cannot be converted, and left out")
	all := ""
	for _, entry := range logs.All() {
		if entry.ContextMap()["table"] == "access_logs" {
			for _, f := range entry.Context {
				all += f.Key + " "
			}
			all += strings.Join(toStrings(entry.ContextMap()["columns"]), " ") + " "
		}
	}
	for _, name := range []string{"request_uri", "status is String", "labels is UInt8"} {
		assert.Contains(t, all, name)
	}
}

func toStrings(v any) (out []string) {
	list, _ := v.([]any)
	for _, x := range list {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}

func TestColumnsChangeWhileDataFlows(t *testing.T) {
	cfg := testConfig(t)
	e := startLogs(t, cfg, settings(), nopHost())
	send(t, e, 0, 10)
	eventually(t, "10", countAccess(cfg))
	table := "ALTER TABLE " + cfg.Database + ".access_logs "
	for i, change := range []string{"DROP COLUMN referer", "MODIFY COLUMN user_agent LowCardinality(String)", "ADD COLUMN extra String DEFAULT 'x'", "ADD COLUMN referer String"} {
		sql(t, table+change)
		send(t, e, (i+1)*10, 10)
		eventually(t, map[int]string{0: "20", 1: "30", 2: "40", 3: "50"}[i], countAccess(cfg))
	}
	assert.Equal(t, "10", mustQuery(t, "SELECT uniqExact(request_id) - 40 AS x FROM "+cfg.Database+".access_logs"))
}

func TestADroppedTableIsMadeAgain(t *testing.T) {
	cfg := testConfig(t)
	cfg.Queue.WaitForResult = true // rows can be read before ClickHouse answers, and an insert without an answer is made again
	e := startLogs(t, cfg, settings(), nopHost())
	send(t, e, 0, 10)
	for i, drop := range []string{"DROP TABLE " + cfg.Database + ".access_logs SYNC", "DROP DATABASE " + cfg.Database + " SYNC"} {
		sql(t, drop)
		send(t, e, (i+1)*10, 10)
		assert.Equal(t, "10", mustQuery(t, countAccess(cfg)), drop)
	}
}

func TestTTLAndSettingsFollowTheConfiguration(t *testing.T) {
	cfg := testConfig(t)
	cfg.Schema.TTL = map[string]time.Duration{"access_logs": 48 * time.Hour, "nginx_metrics": 0, "otel_logs": 24 * time.Hour}
	cfg.Schema.TableSettings = map[string]any{"merge_with_ttl_timeout": 3600}
	create := func(table string) string {
		return mustQuery(t, "SELECT create_table_query FROM system.tables WHERE name = '"+table+"' AND database = '"+cfg.Database+"'")
	}
	e, err := NewFactory().CreateLogs(context.Background(), settings(), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), nopHost()))
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".avika_schema_versions")
	require.NoError(t, e.Shutdown(context.Background()))
	assert.Contains(t, create("access_logs"), "toIntervalDay(2)")
	assert.Contains(t, create("otel_logs"), "toIntervalDay(1)")
	assert.NotContains(t, create("nginx_metrics"), "TTL")
	assert.Contains(t, create("access_logs"), "merge_with_ttl_timeout = 3600")
	for _, table := range []string{"otel_traces", "otel_traces_trace_id_ts"} {
		assert.Contains(t, create(table), "toIntervalDay(7)", "spans of access records do not fill the disk for ever")
	}
	next := *cfg
	next.Schema.TTL = map[string]time.Duration{"access_logs": 240 * time.Hour, "nginx_metrics": 24 * time.Hour, "otel_logs": 0}
	next.Schema.DeduplicationWindow = 777
	startLogs(t, &next, settings(), nopHost())
	eventually(t, "1", "SELECT count() FROM system.tables WHERE name = 'otel_metrics_summary' AND database = '"+cfg.Database+"' AND create_table_query LIKE '%window = 777%'")
	assert.Contains(t, create("access_logs"), "toIntervalDay(10)")
	assert.Contains(t, create("nginx_metrics"), "toIntervalDay(1)")
	assert.NotContains(t, create("otel_logs"), "TTL")
}

func TestARetryDoublesNeitherRowsNorRollups(t *testing.T) {
	cfg := testConfig(t)
	b := &backend{cfg: cfg, log: zap.NewNop(), load: newLoad()}
	require.NoError(t, b.start(context.Background()))
	t.Cleanup(b.stop)
	in := b.in
	builder, _ := rows.New(rows.AccessLogs, rows.Options{}).(*rows.Access)
	ld := accessLogs(0, 100)
	res := rows.NewResource(ld.ResourceLogs().At(0).Resource().Attributes(), "")
	for i, rec := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		if i%2 == 0 {
			rec.Attributes().PutStr("geo.country_iso_code", "DE")
		}
		builder.Append(res, rec)
	}
	comp, err := nativeblock.NewCompressor(nativeblock.LZ4)
	require.NoError(t, err)
	block, err := builder.Block().Seal(comp)
	require.NoError(t, err)
	r := blockqueue.Request{Table: rows.AccessLogs, Token: "some-token", Blocks: []*nativeblock.Sealed{block, block}, Attempt: 1}
	for i := range 3 {
		o := in.Insert(context.Background(), r)
		require.Equal(t, blockqueue.Stored, o.Class, "%v", o.Err)
		require.Equal(t, i > 0, o.Duplicate)
	}
	assert.Equal(t, "200", mustQuery(t, countAccess(cfg)))
	assert.Equal(t, "200", mustQuery(t, "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min"))
	assert.Equal(t, "100|0.25", mustQuery(t, "SELECT concatWithSeparator('|', toString(sum(request_count)), toString(any(avg_latency))) AS x FROM "+cfg.Database+".geo_requests_hourly"))
	// A view fails after the table has the rows. The retry must bring them to the view, and not to the table again.
	sql(t, "DROP TABLE "+cfg.Database+".traffic_5min SYNC")
	r.Token = "other-token"
	require.Equal(t, blockqueue.Retry, in.Insert(context.Background(), r).Class)
	o := in.Insert(context.Background(), r) // makes the table again
	require.Equal(t, blockqueue.Stored, o.Class, "%v", o.Err)
	assert.Equal(t, "400", mustQuery(t, countAccess(cfg)))
	assert.Equal(t, "200", mustQuery(t, "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min"))
	assert.Equal(t, "200", mustQuery(t, "SELECT sum(request_count) FROM "+cfg.Database+".geo_requests_hourly"))
}

// TestAViewThatFails has no say in what the table gets: nothing is divided, doubled or dead-lettered for it.
func TestAViewThatFails(t *testing.T) {
	cfg := testConfig(t)
	cfg.DeadLetter.Directory = filepath.Join(t.TempDir(), "dead")
	core, logs := zapobserver.New(zap.ErrorLevel)
	set := settings()
	set.Logger = zap.New(core)
	e := startLogs(t, cfg, set, nopHost())
	send(t, e, 0, 100)
	eventually(t, "100", countAccess(cfg))
	sql(t, "CREATE MATERIALIZED VIEW "+cfg.Database+".own ENGINE = Memory AS SELECT throwIf(status = 200) AS x FROM "+cfg.Database+".access_logs")
	send(t, e, 100, 100)
	eventually(t, "200", countAccess(cfg))
	require.Eventually(t, func() bool { return logs.FilterMessageSnippet("A view of a table fails").Len() > 0 }, waitFor, tick)
	sql(t, "DROP VIEW "+cfg.Database+".own")
	send(t, e, 200, 100)
	eventually(t, "300", countAccess(cfg))
	assert.Equal(t, "300", mustQuery(t, "SELECT uniqExact(request_id) AS x FROM "+cfg.Database+".access_logs"))
	eventually(t, "300", "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min") // other views
	assert.Empty(t, deadFiles(t, cfg))
}

func TestABadRowIsDeadLetteredAndComesBack(t *testing.T) {
	cfg := testConfig(t)
	cfg.DeadLetter.Directory = filepath.Join(t.TempDir(), "dead")
	e := startLogs(t, cfg, settings(), nopHost())
	send(t, e, 0, 1)
	eventually(t, "1", countAccess(cfg))
	sql(t, "ALTER TABLE "+cfg.Database+".access_logs ADD CONSTRAINT good CHECK request_id != '"+id(57)+"'")
	send(t, e, 1, 99)
	eventually(t, "99", countAccess(cfg))
	require.Eventually(t, func() bool { return len(deadFiles(t, cfg)) == 1 }, waitFor, tick)
	assert.True(t, strings.HasPrefix(deadFiles(t, cfg)[0], "access_logs-"))
	sql(t, "ALTER TABLE "+cfg.Database+".access_logs DROP CONSTRAINT good")
	next := *cfg
	next.DeadLetter.Replay = true
	startLogs(t, &next, settings(), nopHost())
	eventually(t, "1", countAccess(cfg)+" WHERE request_id = '"+id(57)+"'")
	require.Eventually(t, func() bool { return len(deadFiles(t, cfg)) == 0 }, waitFor, tick)
	assert.Equal(t, "100", mustQuery(t, countAccess(cfg)))
}

// TestABadRowIsFoundWhateverItsCode: at once, or, with a code that is not listed, after the attempts that it gets.
func TestABadRowIsFoundWhateverItsCode(t *testing.T) {
	for name, column := range map[string]string{
		"listed":   "CAST(if(request_id = '" + id(57) + "', 'bad', 'true'), 'Bool')", // 467
		"unlisted": "match('x', if(request_id = '" + id(57) + "', '(', 'x')) = 1",    // 427
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.DeadLetter.Directory = filepath.Join(t.TempDir(), "dead")
			e := startLogs(t, cfg, settings(), nopHost())
			send(t, e, 0, 1)
			eventually(t, "1", countAccess(cfg))
			sql(t, "ALTER TABLE "+cfg.Database+".access_logs ADD COLUMN flag Bool MATERIALIZED "+column)
			send(t, e, 1, 99)
			eventually(t, "99", countAccess(cfg))
			require.Eventually(t, func() bool { return len(deadFiles(t, cfg)) == 1 }, waitFor, tick)
		})
	}
}

func deadFiles(t *testing.T, cfg *Config) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(cfg.DeadLetter.Directory)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), nativeExt) {
			out = append(out, e.Name())
		}
	}
	return out
}

// TestTablesOfManyRowsCostLess: they have the settings that this server knows, those that sum are merged as usual, and
// table_settings win.
func TestTablesOfManyRowsCostLess(t *testing.T) {
	cfg := testConfig(t)
	cfg.Schema.TableSettings = map[string]any{"string_serialization_version": "with_size_stream", "non_replicated_deduplication_window": 55}
	e := startLogs(t, cfg, settings(), nopHost())
	send(t, e, 0, 10)
	eventually(t, "10", countAccess(cfg))
	engine := func(table string) string {
		return mustQuery(t, "SELECT engine_full FROM system.tables WHERE database = '"+cfg.Database+"' AND name = '"+table+"'")
	}
	for name, value := range map[string]string{"merge_selector_base": "50", "min_level_for_wide_part": "1"} {
		known := mustQuery(t, "SELECT count() FROM system.merge_tree_settings WHERE name = '"+name+"'") == "1"
		for _, table := range []string{"access_logs", "otel_logs", "otel_traces"} {
			assert.Equal(t, known, strings.Contains(engine(table), name+" = "+value), table)
		}
		assert.NotContains(t, engine("traffic_5min"), name)
	}
	assert.NotContains(t, engine("access_logs"), "single_stream")
	assert.Contains(t, engine("access_logs"), "non_replicated_deduplication_window = 55")
}
