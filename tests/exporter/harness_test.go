package exporter

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// atFullLength tells whether outages are as long as users see them.
func atFullLength() bool { return os.Getenv("AVIKA_FAULT_LONG") == "1" }

// long returns what an outage is to be: short, or full with AVIKA_FAULT_LONG=1.
func long[T any](short, full T) T {
	if atFullLength() {
		return full
	}
	return short
}

const (
	accessLogs = harness.Database + ".access_logs"
	// storedWithin bounds how long what was acknowledged takes to be stored when everything works again.
	storedWithin = 60 * time.Second
)

// onDisk keeps the queue in the shipped file_storage, as gateway.yaml does.
var onDisk = []string{
	"--set=exporters::ch_batch::sending_queue::storage=file_storage", "--set=extensions::file_storage::fsync=true",
	"--set=exporters::ch_batch::logs::queue_rows=400000",
}

// startGateway runs the shipped quickstart configuration with changes.
func startGateway(t testing.TB, clickHouse string, set ...string) *harness.Gateway {
	t.Helper()
	return harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: clickHouse, Args: set})
}

// verdict is the count at the end.
type verdict struct{ lost, doubled, again, againDoubled int }

// settled waits until the exporter has nothing left and no insert is under way in ClickHouse: one that the exporter has given up may
// still end there. What is missing or doubled then stays so.
func (s *sender) settled(t testing.TB, servers ...*harness.ClickHouse) {
	t.Helper()
	logs := map[string]string{"signal": "logs"}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		m, err := harness.ReadMetrics(s.gateway.MetricsURL())
		if !assert.NoError(c, err) {
			return
		}
		assert.True(c, m.Has("otelcol_exporter_ch_batch_buffer_bytes"))
		assert.Zero(c, m.Sum("otelcol_exporter_ch_batch_buffer_bytes", logs), "bytes wait")
		assert.Zero(c, m.Sum("otelcol_exporter_ch_batch_blocks_waiting", logs), "blocks wait")
		for _, ch := range servers {
			assert.Zero(c, ch.Uint(c, "SELECT count() FROM system.processes WHERE query_kind = 'Insert'"), "inserts run")
		}
	}, storedWithin, 100*time.Millisecond, "the exporter has rows left")
}

// count waits until the exporter is done, and looks for lost and doubled rows, on all of the servers together.
func (s *sender) count(t testing.TB, servers ...*harness.ClickHouse) verdict {
	t.Helper()
	s.settled(t, servers...)
	copies := map[string]uint64{}
	for _, ch := range servers {
		var rows []struct {
			ID string `ch:"id"`
			N  uint64 `ch:"n"`
		}
		require.True(t, ch.Select(t, &rows, "SELECT "+s.id+" AS id, count() AS n FROM "+s.table+" GROUP BY id"))
		for _, r := range rows {
			copies[r.ID] += r.N
		}
	}
	var v verdict
	v.again = len(s.again)
	for i := range s.first {
		v.add(copies[rowID(i)], &v.doubled)
	}
	for i := range s.again {
		v.add(copies[rowID(i)], &v.againDoubled)
	}
	t.Logf("%d rows acknowledged at once, %d after sending again: %d lost, %d doubled, %d of those sent again doubled",
		len(s.first), len(s.again), v.lost, v.doubled, v.againDoubled)
	return v
}

func (v *verdict) add(copies uint64, doubled *int) {
	switch {
	case copies == 0:
		v.lost++
	case copies > 1:
		*doubled++
	}
}

// exactlyOnce requires that nothing that was acknowledged at the first send is lost or doubled, and nothing else is lost.
func (s *sender) exactlyOnce(t testing.TB, servers ...*harness.ClickHouse) verdict {
	t.Helper()
	v := s.count(t, servers...)
	assert.Zero(t, v.lost, "lost rows")
	assert.Zero(t, v.doubled, "doubled rows")
	assert.NotEmpty(t, s.first)
	return v
}
