//go:build realkafka

package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestBrokerIsKilled under load, and comes back: what is not acknowledged is sent again by the idempotent producer, and what is not committed
// is read again.
func TestBrokerIsKilled(t *testing.T) {
	t.Parallel()
	kafka := harness.StartKafka(t)
	w := newWayOn(t, harness.NewQueue(t, kafka.Addr()))
	ingest, writer := w.ingest("KAFKA_FLUSH_INTERVAL_MS=50"), w.writer()
	stop := w.fleet(ingest, 20, 250)
	for range long(2, 8) {
		time.Sleep(3 * time.Second)
		require.NoError(t, kafka.Kill())
		time.Sleep(long(2*time.Second, 20*time.Second))
		require.NoError(t, kafka.Restart(context.Background()))
	}
	w.grows()
	w.exactlyOnce(stop())
	assert.True(t, ingest.Running() && writer.Running())
	assert.Zero(t, ingest.Metrics(t).Sum("otelcol_exporter_send_failed_log_records_total", nil))
}

// TestStartWithoutBroker: gateways start, say that they wait, and go on when the broker is there.
func TestStartWithoutBroker(t *testing.T) {
	t.Parallel()
	kafka := harness.StartKafka(t)
	w := newWayOn(t, harness.NewQueue(t, kafka.Addr()))
	require.NoError(t, kafka.Shutdown())
	ingest, _ := w.ingest(), w.writer()
	stop := w.fleet(ingest, 5, 200)
	time.Sleep(2 * time.Second)
	require.NoError(t, kafka.Restart(context.Background()))
	w.grows()
	w.exactlyOnce(stop())
}
