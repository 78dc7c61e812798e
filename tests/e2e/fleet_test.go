package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestSimulatedFleetIsStoredOnce: what agentsim says it sent is what is in the table, row for row.
func TestSimulatedFleetIsStoredOnce(t *testing.T) {
	const agents, total = 25, 20000
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "25", "--rate", "200", "--total", "20000", "--run-id", "e2e1")
	require.Eventually(t, func() bool { return countRows(ch, "access_logs") >= total }, harness.WaitFor, harness.Tick)
	assert.EqualValues(t, total, countRows(ch, "access_logs"))
	assert.EqualValues(t, total, ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs"))
	assert.EqualValues(t, agents, ch.Uint(t, "SELECT uniqExact(instance_id) FROM nginx_analytics.access_logs"))
	assert.Zero(t, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs WHERE request_method = '' OR status = 0 OR request_uri = ''"))
	var list agentList
	require.True(t, g.GetJSON(t, "/api/v1/agents", &list))
	assert.Equal(t, agents, list.Total)
}

// TestPreSharedKey: with AVIKA_PSK set, agents with the key are served and others are not.
func TestPreSharedKey(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	const other = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: ch.Addr(), Env: []string{"AVIKA_PSK=" + key},
	})
	harness.StartAgent(t, g.AgentAddr(), "--agents", "1", "--rate", "50", "--psk", other)
	harness.StartAgent(t, g.AgentAddr(), "--agents", "1", "--rate", "50")
	harness.RunFleet(t, g.AgentAddr(), "--agents", "3", "--rate", "100", "--total", "300", "--psk", key)
	require.Eventually(t, func() bool { return countRows(ch, "access_logs") >= 300 }, harness.WaitFor, harness.Tick)
	assert.EqualValues(t, 300, countRows(ch, "access_logs"))
	var list agentList
	require.True(t, g.GetJSON(t, "/api/v1/agents", &list))
	assert.Equal(t, 3, list.Total)
}
