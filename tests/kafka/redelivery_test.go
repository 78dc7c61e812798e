package kafka

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// deduplicated is how many inserts the writers made that ClickHouse had already.
func deduplicated(t *testing.T, writers ...*harness.Gateway) (n float64) {
	for _, g := range writers {
		n += g.Metrics(t).Sum("otelcol_exporter_ch_batch_inserts_deduplicated_total", nil)
	}
	return n
}

// TestWriterIsKilled again and again in the middle of its inserts: what it had inserted and not committed comes again, and is not stored again.
func TestWriterIsKilled(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest, writer := w.ingest("KAFKA_FLUSH_INTERVAL_MS=20"), w.writer()
	rounds := int(long(6*time.Second, time.Minute) / (2 * time.Second))
	n := 40_000 * rounds / 3
	wait := w.fleet(ingest, "--agents", "20", "--rate", "1000", "--total", itoa(n), "--drain", "60s")
	again := 0.0
	for range rounds {
		before := w.rows()
		require.Eventually(t, func() bool { return w.rows() > before }, settle, 5*time.Millisecond)
		time.Sleep(time.Second)
		writer.Kill()
		writer.Start()
		time.Sleep(time.Second)
		again += deduplicated(t, writer)
	}
	wait()
	w.exactlyOnce(n)
	assert.Positive(t, again+deduplicated(t, writer), "no record was delivered again after it was inserted: the test shows nothing")
}

// rows that are stored; 0 while there is no table, or no ClickHouse.
func (w *way) rows() uint64 {
	return w.ch.Uint(&assert.CollectT{}, "SELECT count() FROM nginx_analytics.access_logs")
}
