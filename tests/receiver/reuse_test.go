package receiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestReuseInTheShippedPipeline: memory_limiter and ch_batch keep nothing of what they were given, so that the shipped configurations can use
// memory again. ClickHouse is away for a while, so that blocks wait and are tried again; no row may hold what belongs to another one.
func TestReuseInTheShippedPipeline(t *testing.T) {
	const total = 50_000
	const patience = 2 * harness.WaitFor // ClickHouse joins spans and rows on a busy machine
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	outage := time.AfterFunc(time.Second, func() {
		_ = ch.Pause()
		time.Sleep(2 * time.Second)
		_ = ch.Resume()
	})
	defer outage.Stop()
	harness.RunFleet(t, g.AgentAddr(), "--agents", "25", "--rate", "1000", "--total", "50000", "--run-id", "5e05e")
	rows := func(where string) uint64 {
		return ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs WHERE "+where)
	}
	require.Eventually(t, func() bool { return rows("1") >= total }, patience, harness.Tick)
	require.EqualValues(t, total, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"))
	require.Zero(t, rows("request_method = '' OR status = 0 OR request_uri = '' OR remote_addr = ''"))
	// Columns of one row come from one line: agentsim's request ids are trace ids, and hold the number of their agent.
	require.EqualValues(t, total, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs WHERE trace_id = request_id"))
	require.EqualValues(t, 25, ch.Uint(t, "SELECT uniqExact(instance_id, substring(request_id, 9, 8)) FROM nginx_analytics.access_logs"))
	require.Eventually(t, func() bool {
		return ch.Uint(t, "SELECT uniqExact(trace_id) FROM nginx_analytics.spans WHERE parent_span_id = ''") >= total
	}, patience, harness.Tick)
	require.Zero(t, ch.Uint(t, `SELECT count() FROM nginx_analytics.spans AS s JOIN nginx_analytics.access_logs AS l ON s.trace_id = l.trace_id
		WHERE s.parent_span_id = '' AND (s.name != l.request_method OR s.instance_id != l.instance_id)`))
}
