package chbatchexporter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
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

// TestADeadLetterGoesBackToItsShard, which may have stored the rows; one of a version that did not write it down to the first.
func TestADeadLetterGoesBackToItsShard(t *testing.T) {
	for name, first := range map[string]bool{"its own": false, "unknown": true} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.DeadLetter.Directory, cfg.DeadLetter.Replay = filepath.Join(t.TempDir(), "dead"), true
			cfg.Routing, cfg.DrainTimeout = routingShards, 100*time.Millisecond
			shard := cfg.Endpoints[0]
			cfg.Endpoints = []string{absent(t), shard}
			if first {
				cfg.Endpoints, shard = []string{shard, absent(t)}, ""
			}
			d := &deadLetters{dir: cfg.DeadLetter.Directory, log: zap.NewNop()}
			require.NoError(t, d.Rows(rows.AccessLogs, shard, "abc", accessBlock(t, "abc", 10).Blocks[0], errors.New("given up")))
			startLogs(t, cfg, settings(), nopHost())
			eventually(t, "10", countAccess(cfg))
		})
	}
}

// TestAnEntryOfTheQueueComesBack that another version could not read and has put aside.
func TestAnEntryOfTheQueueComesBack(t *testing.T) {
	cfg := testConfig(t)
	cfg.DeadLetter.Directory, cfg.DeadLetter.Replay = filepath.Join(t.TempDir(), "dead"), true
	raw := []byte{1, 1}
	for _, s := range []string{"abc", rows.AccessLogs, ""} {
		raw = append(binary.AppendUvarint(raw, uint64(len(s))), s...)
	}
	raw = binary.AppendUvarint(binary.AppendVarint(raw, testTime.UnixNano()), 1)
	raw = accessBlock(t, "abc", 10).Blocks[0].Stored(raw)
	d := &deadLetters{dir: cfg.DeadLetter.Directory, log: zap.NewNop()}
	require.NoError(t, d.Raw("b1", raw, errors.New("unknown version")))
	require.NoError(t, d.Raw("b1", []byte{9}, errors.New("unknown version")), "of the queue of another signal")
	startLogs(t, cfg, settings(), nopHost())
	eventually(t, "10", countAccess(cfg))
	require.Eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(cfg.DeadLetter.Directory, "*"))
		require.NoError(t, err)
		return len(left) == 2 // what nobody can read, and its description
	}, waitFor, tick)
}
