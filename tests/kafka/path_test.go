package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestAgentsThroughTheQueue: what agents send arrives in the same tables as on the direct way, once.
func TestAgentsThroughTheQueue(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest, writer := w.ingest(), w.writer()
	send(t, ingest, 20, 500, 20_000)
	w.exactlyOnce(20_000)
	for _, table := range []string{"nginx_metrics", "system_metrics", "otel_traces"} {
		assert.Positive(t, w.ch.Uint(t, "SELECT count() FROM nginx_analytics."+table), table)
	}

	m := ingest.Metrics(t)
	logs := map[string]string{"topic": w.queue.Topic("logs")}
	records := m.Sum("otelcol_kafka_exporter_records_total", logs)
	assert.Positive(t, records)
	assert.Positive(t, m.Sum("otelcol_kafka_exporter_bytes_total", logs))
	assert.True(t, m.Has("otelcol_exporter_queue_size"))
	m = writer.Metrics(t)
	assert.Equal(t, records, m.Sum("otelcol_kafka_receiver_records_total", logs))
	assert.Positive(t, m.Sum("otelcol_kafka_receiver_bytes_total", logs))
	assert.True(t, m.Has("otelcol_kafka_receiver_offset_lag_ratio"))
	assert.Zero(t, m.Sum("otelcol_kafka_receiver_offset_lag_ratio", logs))
	assert.Zero(t, m.Sum("otelcol_exporter_ch_batch_inserts_deduplicated_total", nil))
	require.Eventually(t, func() bool { // it asks each 10 s
		m = writer.Metrics(t)
		return m.Series("otelcol_extension_kafka_lag_records") == 36 && m.Sum("otelcol_extension_kafka_lag_records", nil) == 0
	}, harness.WaitFor, harness.Tick, "the lag of all partitions of three topics")
}

// TestAgentsKeepTheirOrder: all records of an agent are in one partition, its entries in the order in which it sent them, and hosts are spread.
func TestAgentsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest := w.ingest()
	send(t, ingest, 60, 50, 6000)
	partitionOf, last, entries := map[string]int32{}, map[string]string{}, 0
	used := map[int32]bool{}
	w.eachRecord("logs", func() bool { return entries == 6000 }, func(r *kgo.Record) {
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(r.Value)
		require.NoError(t, err)
		used[r.Partition] = true
		for _, rl := range ld.ResourceLogs().All() {
			for _, rec := range rl.ScopeLogs().At(0).LogRecords().All() {
				value, ok := rec.Attributes().Get("nginx.request.id")
				require.True(t, ok)
				agent, sequence := value.Str()[8:16], value.Str()[16:]
				if p, ok := partitionOf[agent]; ok {
					require.Equal(t, p, r.Partition, "agent %s is in two partitions", agent)
				}
				require.Greater(t, sequence, last[agent], "entries of agent %s", agent)
				partitionOf[agent], last[agent] = r.Partition, sequence
				entries++
			}
		}
	})
	assert.Len(t, partitionOf, 60)
	assert.Greater(t, len(used), 8, "60 hosts are in 12 partitions")
}

// eachRecord reads a topic from its start until done.
func (w *way) eachRecord(signal string, done func() bool, fn func(*kgo.Record)) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.queue.Addr), kgo.ConsumeTopics(w.queue.Topic(signal)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(w.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !done() {
		fetches := client.PollFetches(ctx)
		require.NoError(w.t, ctx.Err(), "records are missing")
		fetches.EachRecord(fn)
	}
}
