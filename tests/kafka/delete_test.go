package kafka

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestWhatWasReadIsDeleted: with KAFKA_DELETE_READ brokers keep what is not stored yet, and nothing else.
func TestWhatWasReadIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest, writer := w.ingest(), w.writer("KAFKA_DELETE_READ=true")
	send(t, ingest, 5, 500, 2500)
	w.exactlyOnce(2500)
	require.Eventually(t, func() bool { return w.kept("logs") == 0 }, harness.WaitFor, harness.Tick, "stored records are still there")

	require.NoError(t, w.ch.Shutdown())
	send(t, ingest, 5, 500, 2500)
	require.Eventually(t, func() bool { return writer.Metrics(t).Sum("otelcol_extension_kafka_lag_records", nil) > 0 }, harness.WaitFor, harness.Tick,
		"the brokers were not asked while records wait")
	assert.Positive(t, w.kept("logs"))
	require.NoError(t, w.ch.Restart(t.Context()))
	w.exactlyOnce(5000)
	assert.False(t, writer.Metrics(t).Has("otelcol_extension_kafka_lag_delete_failures_total"))
}

// kept are the records of a signal's topic that the brokers have.
func (w *way) kept(signal string) (n int64) {
	w.t.Helper()
	topic := w.queue.Topic(signal)
	start, err := w.queue.Admin.ListStartOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	end, err := w.queue.Admin.ListEndOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	end.Each(func(o kadm.ListedOffset) {
		from, _ := start.Lookup(topic, o.Partition)
		n += o.Offset - from.Offset
	})
	return n
}
