//go:build figures

package kafka

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// Load of the figures.
const (
	figureAgents = 20
	figureRate   = 500 // a second and agent
	figureRows   = 300_000
)

// TestFigures prints the figures of docs/queueing.md: the direct way and the queue under the same load, one after the other.
//
//	make kafka build && cd tests && AVIKA_KAFKA_LIBS=$PWD/../.tools/kafka go test -tags figures -run TestFigures -v ./kafka
func TestFigures(t *testing.T) {
	t.Run("direct", func(t *testing.T) {
		ch := harness.StartClickHouse(t)
		g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:gateway", ClickHouse: ch.Addr()})
		measure(t, &way{t: t, ch: ch}, g, g)
	})
	eachRecordSize(t, func(t *testing.T, w *way, env ...string) {
		ingest, writer := w.ingest(append(env, "KAFKA_FLUSH_INTERVAL_MS=1000")...), w.writer()
		measure(t, w, ingest, writer)
	})
}

// eachRecordSize runs a measurement as shipped, and with records of four times the size.
func eachRecordSize(t *testing.T, run func(t *testing.T, w *way, env ...string)) {
	t.Run("queue", func(t *testing.T) { run(t, newWay(t)) })
	t.Run("queue, 4 MB records", func(t *testing.T) {
		w := newWay(t)
		out, code := w.topics("--max-message-bytes", "4194304", "--alter")
		require.Zero(t, code, out)
		run(t, w, "KAFKA_RECORD_BYTES=4000000", "KAFKA_MAX_MESSAGE_BYTES=4194304")
	})
}

func measure(t *testing.T, w *way, ingest, writer *harness.Gateway) {
	time.Sleep(3 * time.Second)
	before, beforeWriter := cpu(t, ingest), cpu(t, writer)
	send(t, ingest, figureAgents, figureRate, figureRows)
	require.Eventually(t, func() bool { return w.rows() == figureRows }, settle, 100*time.Millisecond)
	usedIngest, usedWriter := cpu(t, ingest)-before, cpu(t, writer)-beforeWriter
	m := writer.Metrics(t)
	access := map[string]string{"table": "access_logs"}
	rows := m.Sum("otelcol_exporter_ch_batch_rows_inserted_total", access)
	inserts := m.Sum("otelcol_exporter_ch_batch_insert_duration_seconds", access)
	line := fmt.Sprintf("%s: %.0f rows/CPU-s ingest, %.0f rows/CPU-s writer, %.0f rows an insert, %.1f inserts/s, age %s",
		t.Name(), figureRows/usedIngest, figureRows/usedWriter, rows/inserts, inserts/(figureRows/figureAgents/figureRate), age(m))
	if ingest != writer {
		m = ingest.Metrics(t)
		line += fmt.Sprintf(", %.0f rows/CPU-s together, records are compressed %.1f times", figureRows/(usedIngest+usedWriter),
			m.Sum("otelcol_kafka_exporter_bytes_uncompressed_bytes_total", nil)/m.Sum("otelcol_kafka_exporter_bytes_total", nil))
	}
	t.Log(line)
}

func cpu(t *testing.T, g *harness.Gateway) float64 {
	return g.Metrics(t).Sum("otelcol_process_cpu_seconds_total", nil)
}

// age is how long rows took from their own time to ClickHouse, from the histogram's buckets.
func age(m harness.Metrics) string {
	const name = "otelcol_exporter_ch_batch_row_delay_seconds"
	var bounds []float64
	var counts []uint64
	var sum float64
	var n uint64
	for _, metric := range m[name].GetMetric() {
		table := ""
		for _, l := range metric.GetLabel() {
			if l.GetName() == "table" {
				table = l.GetValue()
			}
		}
		if table != "access_logs" {
			continue
		}
		h := metric.GetHistogram()
		sum, n = h.GetSampleSum(), h.GetSampleCount()
		for _, b := range h.GetBucket() {
			bounds, counts = append(bounds, b.GetUpperBound()), append(counts, b.GetCumulativeCount())
		}
	}
	if n == 0 {
		return "unknown"
	}
	at := func(q float64) float64 {
		for i, c := range counts {
			if float64(c) >= q*float64(n) {
				return bounds[i]
			}
		}
		return 0
	}
	return fmt.Sprintf("mean %.2f s, half below %.2g s, 99 of 100 below %.2g s", sum/float64(n), at(0.5), at(0.99))
}
