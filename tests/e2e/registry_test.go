package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// agentList is what the tests look at of GET /api/v1/agents.
type agentList struct {
	Agents []struct {
		ID           string    `json:"id"`
		Hostname     string    `json:"hostname"`
		Status       string    `json:"status"`
		NGINXVersion string    `json:"nginx_version"`
		Gateway      string    `json:"gateway"`
		LastSeen     time.Time `json:"last_seen"`
	} `json:"agents"`
	Total int `json:"total"`
}

// requireOnline waits for the one agent to be listed online with NGINX's version.
func requireOnline(t *testing.T, g *harness.Gateway) {
	t.Helper()
	requireStatus(t, g, "online")
	version := harness.NGINXVersion(t)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var list agentList
		if g.GetJSON(c, "/api/v1/agents", &list) && assert.Len(c, list.Agents, 1) {
			assert.Equal(c, version, list.Agents[0].NGINXVersion)
			assert.Equal(c, "gateway-1", list.Agents[0].Gateway)
			assert.NotEmpty(c, list.Agents[0].Hostname)
		}
	}, harness.WaitFor, harness.Tick)
}

// requireStatus waits for the one agent to have a status.
func requireStatus(t *testing.T, g *harness.Gateway, status string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var list agentList
		if g.GetJSON(c, "/api/v1/agents", &list) && assert.Len(c, list.Agents, 1) {
			assert.Equal(c, status, list.Agents[0].Status)
		}
	}, harness.WaitFor, harness.Tick)
}

// TestEmbeddedRegistryKeepsAgentsThroughRestart: with the agent away, only what was kept can list it.
func TestEmbeddedRegistryKeepsAgentsThroughRestart(t *testing.T) {
	ch := harness.StartClickHouse(t)
	n := harness.StartNGINX(t, harness.FormatJSON)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	agent := harness.TailNGINX(t, g.AgentAddr(), n)
	requireOnline(t, g)
	agent.Stop()
	requireStatus(t, g, "offline")
	var before, after agentList
	require.True(t, g.GetJSON(t, "/api/v1/agents", &before))
	g.Restart()
	requireStatus(t, g, "offline")
	require.True(t, g.GetJSON(t, "/api/v1/agents", &after))
	require.Len(t, after.Agents, 1)
	assert.Equal(t, before.Agents[0].ID, after.Agents[0].ID)
	assert.Equal(t, before.Agents[0].NGINXVersion, after.Agents[0].NGINXVersion)
}

// TestAgentComesBackAfterGatewayRestart: the same agent, listed once, and lines of the time between are not lost.
func TestAgentComesBackAfterGatewayRestart(t *testing.T) {
	ch := harness.StartClickHouse(t)
	n := harness.StartNGINX(t, harness.FormatJSON)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	harness.TailNGINX(t, g.AgentAddr(), n, "--reconnect-wait", "500ms")
	requireOnline(t, g)
	sendRequests(t, n, 50)
	waitRows(t, ch, 50)
	g.Stop()
	for i := range 50 {
		send(t, n, 50+i)
	}
	g.Start()
	waitRows(t, ch, 100)
	requireOnline(t, g)
}
