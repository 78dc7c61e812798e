package kafka

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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
	ingest, writer := w.ingest("KAFKA_FLUSH_INTERVAL_MS=100"), w.writer()
	stop := w.fleet(ingest, 20, 200)
	again := 0.0
	for n := long(3, 12); n > 0 || again == 0 && n > -10; n-- { // until there was something between an insert and its commit
		w.grows() // this writer has its partitions, and what the one before left has come again
		time.Sleep(time.Second)
		w.stable()
		again += deduplicated(t, writer)
		writer.Kill()
		writer.Start()
	}
	w.exactlyOnce(stop())
	assert.Positive(t, again+deduplicated(t, writer), "no record was delivered again after it was inserted: the test shows nothing")
}
