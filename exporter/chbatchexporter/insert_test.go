package chbatchexporter

import (
	"context"
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
