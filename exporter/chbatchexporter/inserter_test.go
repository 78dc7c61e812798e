package chbatchexporter

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
)

// TestAnAnswerMayComeAfterTheRows: a view that cannot be reached fails when the table has them, and then another shard must not get them.
// What is refused before any row was sent may go anywhere.
func TestAnAnswerMayComeAfterTheRows(t *testing.T) {
	cfg := testConfig(t)
	in := startInserter(t, cfg)
	insert := func(token string) blockqueue.Outcome {
		return in.Insert(t.Context(), accessBlock(t, token, 100))
	}
	require.Equal(t, blockqueue.Stored, insert("first").Class)
	sql(t, "CREATE MATERIALIZED VIEW "+cfg.Database+".own ENGINE = Memory AS SELECT status AS x FROM "+cfg.Database+
		".access_logs WHERE status IN (SELECT x FROM url('http://"+absent(t)+"/', CSV, 'x UInt16')) SETTINGS http_max_tries = 1")
	o := insert("second")
	require.Equal(t, blockqueue.Retry, o.Class)
	require.Equal(t, "200", mustQuery(t, countAccess(cfg)), o.Err)
	assert.True(t, o.Unsure)

	sql(t, "DROP VIEW "+cfg.Database+".own SYNC")
	sql(t, "DROP TABLE "+cfg.Database+".access_logs SYNC")
	o = insert("third")
	require.Equal(t, blockqueue.Retry, o.Class)
	assert.False(t, o.Unsure, "%v", o.Err)
}
