package chbatchexporter

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// TestADeadLetterGoesBackWithAnyClient as the README says: the ID of its name is the token of the attempt that has stored its rows.
func TestADeadLetterGoesBackWithAnyClient(t *testing.T) {
	cfg := testConfig(t)
	r := accessBlock(t, "abc", 100)
	o := startInserter(t, cfg).Insert(t.Context(), r)
	require.Equal(t, blockqueue.Stored, o.Class, "%v", o.Err)
	file, err := r.Blocks[0].AppendNative(nil)
	require.NoError(t, err)
	for _, c := range []struct{ token, rows string }{{"abc", "100"}, {"other", "200"}} {
		query := url.Values{"query": {"INSERT INTO " + cfg.Database + ".access_logs FORMAT Native"}, "insert_deduplication_token": {c.token}}
		resp, err := http.Post("http://"+testenv.ClickHouseHTTP(t)+"/?"+query.Encode(), "", bytes.NewReader(file))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		assert.Equal(t, c.rows, mustQuery(t, countAccess(cfg)), c.token)
	}
}
