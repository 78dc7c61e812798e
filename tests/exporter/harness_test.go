package exporter

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// long returns how long an outage is: short, or full with AVIKA_FAULT_LONG=1.
func long(short, full time.Duration) time.Duration {
	if os.Getenv("AVIKA_FAULT_LONG") == "1" {
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

// count waits until all acknowledged rows are stored, on one of the servers, and looks for lost and doubled ones.
func (s *sender) count(t testing.TB, servers ...*harness.ClickHouse) verdict {
	t.Helper()
	total := uint64(len(s.first) + len(s.again))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var n uint64
		for _, ch := range servers {
			n += ch.Uint(c, "SELECT uniqExact("+s.id+") FROM "+s.table)
		}
		assert.GreaterOrEqual(c, n, total)
	}, storedWithin, 200*time.Millisecond, "acknowledged rows are not stored")
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
