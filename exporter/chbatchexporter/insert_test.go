package chbatchexporter

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// startInserter makes attempts to insert without a queue before it.
func startInserter(t *testing.T, cfg *Config) *inserter {
	t.Helper()
	b := &backend{cfg: cfg, log: zap.NewNop(), load: newLoad()}
	require.NoError(t, b.start(context.Background()))
	t.Cleanup(b.stop)
	return b.in
}

// accessBlock is an insert of n access records.
func accessBlock(t *testing.T, token string, n int) blockqueue.Request {
	t.Helper()
	builder, ok := rows.New(rows.AccessLogs, rows.Options{}).(*rows.Access)
	require.True(t, ok)
	rl := accessLogs(0, n).ResourceLogs().At(0)
	res := rows.NewResource(rl.Resource().Attributes(), "")
	for _, rec := range rl.ScopeLogs().At(0).LogRecords().All() {
		builder.Append(res, rec)
	}
	comp, err := nativeblock.NewCompressor(nativeblock.LZ4)
	require.NoError(t, err)
	block, err := builder.Block().Seal(comp)
	require.NoError(t, err)
	return blockqueue.Request{Table: rows.AccessLogs, Token: token, Blocks: []*nativeblock.Sealed{block}, Attempt: 1}
}

// TestTheUsersSettingsDoNotDoubleRows: those of an insert come before those of the user's profile.
func TestTheUsersSettingsDoNotDoubleRows(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxOpenConns = 1
	in := startInserter(t, cfg)
	r := accessBlock(t, "token", 100)
	require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), r))
	// The connection is the only one: what is set on it is what a profile would set.
	require.NoError(t, in.endpoints[0].Exec(t.Context(), "SET deduplicate_insert = 'disable', insert_deduplicate = 0, send_profile_events = 0"))
	require.Equal(t, blockqueue.Outcome{Duplicate: true}, in.Insert(t.Context(), r))
	require.Equal(t, "100", mustQuery(t, countAccess(cfg)))
}

// TestAViewThatLacksSomething has no say in what the table gets, once the exporter has seen to its own tables.
func TestAViewThatLacksSomething(t *testing.T) {
	for name, c := range map[string]struct{ to, from, lose string }{
		"its target":               {"TO {db}.mine", "{db}.access_logs", "DROP TABLE {db}.mine SYNC"},
		"a table that it reads":    {"ENGINE = Memory", "{db}.access_logs WHERE status NOT IN (SELECT x FROM {db}.mine)", "DROP TABLE {db}.mine SYNC"},
		"a column that it reads":   {"ENGINE = Memory", "{db}.access_logs WHERE status NOT IN (SELECT y FROM {db}.mine)", "ALTER TABLE {db}.mine DROP COLUMN y"},
		"a database that it reads": {"ENGINE = Memory", "{db}.access_logs WHERE status NOT IN (SELECT x FROM {db}_other.mine)", "DROP DATABASE {db}_other SYNC"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			in := startInserter(t, cfg)
			require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), accessBlock(t, "before", 100)))
			db := func(s string) string { return strings.ReplaceAll(s, "{db}", cfg.Database) }
			sql(t, db("CREATE DATABASE {db}_other"))
			t.Cleanup(func() { sql(t, db("DROP DATABASE IF EXISTS {db}_other")) })
			for _, table := range []string{"{db}.mine", "{db}_other.mine"} {
				sql(t, db("CREATE TABLE "+table+" (x UInt16, y UInt16) ENGINE = MergeTree ORDER BY x"))
			}
			sql(t, db("CREATE MATERIALIZED VIEW {db}.own "+c.to+" AS SELECT status AS x FROM "+c.from))
			sql(t, db(c.lose))
			r := accessBlock(t, "after", 100)
			for ; r.Attempt < viewAttempt; r.Attempt++ {
				require.Equal(t, blockqueue.Retry, in.Insert(t.Context(), r).Class)
			}
			o := in.Insert(t.Context(), r)
			require.Equal(t, blockqueue.Stored, o.Class, "%v", o.Err)
			require.NotEmpty(t, o.Code)
			require.Equal(t, "200", mustQuery(t, countAccess(cfg)))
			require.Equal(t, "200", mustQuery(t, "SELECT sum(requests) FROM "+cfg.Database+".traffic_5min"), "other views")
		})
	}
}

// TestAViewInPlaceOfTheTable takes no rows: they wait until the table is back.
func TestAViewInPlaceOfTheTable(t *testing.T) {
	cfg := testConfig(t)
	in := startInserter(t, cfg)
	require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), accessBlock(t, "before", 100)))
	table := cfg.Database + ".access_logs"
	sql(t, "RENAME TABLE "+table+" TO "+table+"_kept")
	sql(t, "CREATE VIEW "+table+" AS SELECT * FROM "+table+"_kept")
	r := accessBlock(t, "after", 100)
	for ; r.Attempt <= viewAttempt; r.Attempt++ {
		o := in.Insert(t.Context(), r)
		require.Equal(t, blockqueue.Retry, o.Class)
		require.Equal(t, notWritable, o.Code)
	}
	sql(t, "DROP VIEW "+table)
	sql(t, "RENAME TABLE "+table+"_kept TO "+table)
	require.Equal(t, blockqueue.Outcome{}, in.Insert(t.Context(), r))
	require.Equal(t, "200", mustQuery(t, countAccess(cfg)))
}
