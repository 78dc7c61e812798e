package kafka

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestClickHouseIsAway while agents go on at full rate: the queue takes it all, agents notice nothing, and nothing is doubled when it is back.
func TestClickHouseIsAway(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest, writer := w.ingest("KAFKA_FLUSH_INTERVAL_MS=1000"), w.writer() // as shipped: a writer catches up by the record
	outage := long(8*time.Second, time.Minute)
	const rate = 5000
	n := rate * int((outage+4*time.Second)/time.Second)
	start := time.Now()
	wait := w.fleet(ingest, "--agents", "10", "--rate", itoa(rate/10), "--total", itoa(n), "--drain", "60s")
	time.Sleep(2 * time.Second)
	require.NoError(t, w.ch.Kill())
	time.Sleep(outage)
	require.True(t, writer.Running())
	assert.Positive(t, w.lag(), "what ClickHouse does not take waits in the topic")
	require.Eventually(t, func() bool { return writer.Metrics(t).Sum("otelcol_extension_kafka_lag_records", nil) > 0 },
		15*time.Second, harness.Tick, "the collector does not tell")
	require.NoError(t, w.ch.Restart(context.Background()))
	wait()
	assert.Less(t, time.Since(start), outage+40*time.Second, "agents were held back")
	w.exactlyOnce(n)
}

func (w *way) lag() int64 {
	lags, err := w.queue.Admin.Lag(context.Background(), w.queue.Group())
	require.NoError(w.t, err)
	lag := lags[w.queue.Group()]
	return lag.Lag.Total()
}
