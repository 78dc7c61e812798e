package receiver

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestReuseInTheShippedPipeline: ch_batch keeps nothing of what it was given, so that memory can be used again.
func TestReuseInTheShippedPipeline(t *testing.T) {
	const total = 50_000
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: ch.Addr(), Args: []string{"--set=receivers::avika::batch::reuse=true"},
	})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "25", "--rate", "1000", "--total", "50000", "--run-id", "5e05e")
	count := func(where string) uint64 {
		return ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs WHERE "+where)
	}
	require.Eventually(t, func() bool { return count("1") >= total }, harness.WaitFor, harness.Tick)
	require.EqualValues(t, total, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"))
	require.Zero(t, count("request_method = '' OR status = 0 OR request_uri = '' OR remote_addr = ''"))
	// Columns of one row come from one line: agentsim's request ids are trace ids.
	require.EqualValues(t, total, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs WHERE trace_id = request_id"))
}
