package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestClickHouseIsAway while agents go on at full rate: the queue takes it all, agents notice nothing, and nothing is doubled when it is back,
// and catches up while others send.
func TestClickHouseIsAway(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest, writer := w.ingest("KAFKA_FLUSH_INTERVAL_MS=1000"), w.writer() // as shipped
	stop := w.fleet(ingest, 10, 500)
	w.grows()
	require.NoError(t, w.ch.Kill())
	time.Sleep(long(8*time.Second, time.Minute))
	during := stop() // agents end while ClickHouse is away: ingest has read all that they sent
	require.True(t, writer.Running())
	assert.Positive(t, w.lag(), "what ClickHouse does not take waits in the topic")
	require.Eventually(t, func() bool { return writer.Metrics(t).Sum("otelcol_extension_kafka_lag_records", nil) > 0 },
		harness.WaitFor, harness.Tick, "the collector does not tell")
	stop = w.fleet(ingest, 10, 500, "--agent-id", "later")
	require.NoError(t, w.ch.Restart(context.Background()))
	w.grows()
	w.exactlyOnce(during + stop())
}

func (w *way) lag() int64 {
	lags, err := w.queue.Admin.Lag(context.Background(), w.queue.Group())
	require.NoError(w.t, err)
	lag := lags[w.queue.Group()]
	return lag.Lag.Total()
}
