package exporter

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

const otelLogs = harness.Database + ".otel_logs"

// TestClickHouseDiesBetweenTokenAndPart of an insert: it takes the retry for a duplicate, and has the rows of no part of it. (Without
// replication it writes the token down before it renames the part. A kill there is made of one just after it, and of the part's folder,
// which is removed.) The rows are found missing and put back; the rollup, whose part is there, does not count them twice.
func TestClickHouseDiesBetweenTokenAndPart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set   []string
		table string
		// both die, so that the retry is made by a process that knows of no attempt.
		both bool
	}{
		"typed":              {table: accessLogs},
		"typed, both killed": {set: onDisk, table: accessLogs, both: true},
		"OTel, disk":         {set: onDisk, table: otelLogs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := harness.StartClickHouse(t)
			p := startProxy(t, ch.Addr())
			g := startGateway(t, p.addr(), c.set...)
			s := newSender(t, g)
			s.into(c.table)
			s.rows, s.days = 1000, 2
			s.sendNext()
			s.exactlyOnce(t, ch) // and tables and connections are there
			ch.Exec(t, "SYSTEM STOP MERGES "+c.table)
			p.muteAfter.Store(5000)
			s.sendNext()
			s.isStored(t, ch)
			parts := newestParts(t, ch, c.table)
			require.Len(t, parts, s.days)
			if c.both {
				g.Kill()
			}
			require.NoError(t, ch.Kill())
			for _, part := range parts {
				require.NoError(t, os.RemoveAll(part))
			}
			p.muteAfter.Store(0)
			require.NoError(t, ch.Restart(context.Background()))
			require.EqualValues(t, 1000, ch.Uint(t, "SELECT count() FROM "+c.table), "the rows of the second insert are gone")
			if c.both {
				g.Start()
			}
			s.exactlyOnce(t, ch)
			assert.Equal(t, 1000.0, g.Metrics(t).Sum("otelcol_exporter_ch_batch_rows_restored_total", nil))
			if c.table == accessLogs {
				rollupHas(t, ch, s.next)
			}
		})
	}
}

// newestParts are the folders of the newest part of each partition of a table.
func newestParts(t *testing.T, ch *harness.ClickHouse, table string) (folders []string) {
	t.Helper()
	var rows []struct {
		Path string `ch:"path"`
	}
	require.True(t, ch.Select(t, &rows, "SELECT path FROM system.parts WHERE active AND concat(database, '.', table) = ? "+
		"AND level = 0 ORDER BY max_block_number DESC LIMIT 1 BY partition_id", table))
	for _, r := range rows {
		folders = append(folders, r.Path)
	}
	return folders
}

// isStored waits until ClickHouse shows the rows of all requests.
func (s *sender) isStored(t *testing.T, ch *harness.ClickHouse) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, s.next, ch.Uint(c, "SELECT uniqExact("+s.id+") FROM "+s.table))
	}, storedWithin, 20*time.Millisecond)
}
