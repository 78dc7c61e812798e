package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// away is how long PostgreSQL is missing.
const away = 60 * time.Second

// TestPostgresAwayForAMinute: at the start and in the middle; data flows, agents stay, state catches up.
func TestPostgresAwayForAMinute(t *testing.T) {
	t.Parallel()
	c := prepare(t, 2)
	require.NoError(t, c.pg.Shutdown())
	c.start() // ready without PostgreSQL
	var agents []*agent
	for i := range 10 {
		a := newAgent(t, fmt.Sprint("web-", i))
		a.join(c.gateways[i%2].AgentAddr())
		agents = append(agents, a)
	}
	flow(t, c, agents, "start")
	for _, g := range c.gateways {
		l := agentsAt(t, g, "status=online")
		assert.Equal(t, 5, l.Total, "each knows its own")
		assert.Equal(t, "unavailable", l.Database.State)
		assert.NotEmpty(t, l.Database.Error)
		assert.Zero(t, g.Metrics(t).Sum("otelcol_extension_agent_registry_database_up", nil))
	}
	require.NoError(t, c.pg.Restart(t.Context()))
	t.Logf("caught up %s after the start of PostgreSQL", everywhere(t, c.gateways, "status=online&label=environment=e2e", 10, harness.WaitFor))

	require.NoError(t, c.pg.Shutdown())
	agents[0].join(c.gateways[1].AgentAddr())
	agents[1].leave()
	flow(t, c, agents[2:], "middle")
	for _, a := range agents[2:] {
		assert.False(t, isDone(a.stream), "agents stay")
	}
	require.NoError(t, c.pg.Restart(t.Context()))
	t.Logf("caught up %s after the return of PostgreSQL", everywhere(t, c.gateways, "status=online", 9, harness.WaitFor))
	for _, g := range c.gateways {
		shows(t, g, agents[0].id, "online", "gateway-1")
		shows(t, g, agents[1].id, "offline", "gateway-1")
		assert.Equal(t, "connected", agentsAt(t, g, "").Database.State)
	}
}

// flow sends requests for as long as PostgreSQL is away, and requires that each is stored once.
func flow(t *testing.T, c *cluster, agents []*agent, prefix string) {
	t.Helper()
	sent := 0
	for started := time.Now(); time.Since(started) < away; time.Sleep(100 * time.Millisecond) {
		for _, a := range agents {
			a.request(fmt.Sprintf("%s-%d", prefix, sent))
			sent++
		}
	}
	c.stored(t, prefix+"-", sent)
}
