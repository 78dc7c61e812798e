//go:build figures

package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestCatchUp prints how fast a writer stores what has collected in the topics while it was away: what ingest makes of 5,000 log entries a
// second, of four times as many in a fourth of the time.
func TestCatchUp(t *testing.T) { eachRecordSize(t, catchUp) }

func catchUp(t *testing.T, w *way, env ...string) {
	const first, n = 5000, 300_000
	ingest, writer := w.ingest(append(env, "KAFKA_FLUSH_INTERVAL_MS=250")...), w.writer()
	send(t, ingest, 10, 500, first) // makes the tables
	w.exactlyOnce(first)
	writer.Kill()
	send(t, ingest, 10, 2000, n-first)
	ingest.Stop()
	lag := w.lag()
	writer.Start()
	w.grows()
	begin, before, usedWriter, usedServer := time.Now(), w.rows(), cpu(t, writer), processCPU(t, w.ch.PID())
	require.Eventually(t, func() bool { return w.rows() == n }, settle, 10*time.Millisecond)
	took, rows := time.Since(begin).Seconds(), float64(n-before)
	t.Logf("%s: %d records, %.0f rows/s, %.0f rows/CPU-s writer, %.0f rows/CPU-s ClickHouse; %s", t.Name(), lag, rows/took,
		rows/(cpu(t, writer)-usedWriter), rows/(processCPU(t, w.ch.PID())-usedServer), inserts(writer.Metrics(t)))
}

// inserts of each table that rows of agents are in.
func inserts(m harness.Metrics) string {
	var all []string
	for _, table := range []string{"access_logs", "otel_traces", "nginx_metrics", "system_metrics"} {
		n := m.Sum("otelcol_exporter_ch_batch_insert_duration_seconds", map[string]string{"table": table})
		all = append(all, fmt.Sprintf("%.0f inserts into %s", n, table))
	}
	return strings.Join(all, ", ")
}

// processCPU is the user and system time of a process in seconds, as proc(5) has it: fields 14 and 15, in hundredths.
func processCPU(t *testing.T, pid int) float64 {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	require.NoError(t, err)
	afterName := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var hundredths int
	for _, field := range afterName[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		hundredths += n
	}
	return float64(hundredths) / 100
}
