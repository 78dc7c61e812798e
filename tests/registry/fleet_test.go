package registry

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/tests/harness"
)

const (
	gateways = 5
	fleet    = 100
)

// TestFleet walks through the life of a hundred agents on five gateways.
func TestFleet(t *testing.T) {
	c := prepare(t, gateways)
	c.start()
	var agents []*agent
	for i := range fleet {
		a := newAgent(t, fmt.Sprintf("web-%03d-10-0-0-%d", i, i))
		a.join(c.gateways[i%gateways].AgentAddr())
		agents = append(agents, a)
	}
	t.Logf("%d agents online at %d gateways after %s", fleet, gateways, everywhere(t, c.gateways, "status=online&label=environment=e2e", fleet, harness.WaitFor))
	for i, g := range c.gateways {
		everywhere(t, []*harness.Gateway{g}, fmt.Sprintf("gateway=gateway-%d", (i+1)%gateways), fleet/gateways, harness.WaitFor)
	}
	t.Run("commands", func(t *testing.T) { commands(t, c, agents) })
	t.Run("log tail", func(t *testing.T) { logTail(t, c, agents[0]) })
	t.Run("agents' port", func(t *testing.T) { agentsPort(t, c) })
	t.Run("metrics", func(t *testing.T) { metrics(t, c.gateways[0]) })
	t.Run("revoked", func(t *testing.T) { revoked(t, c, agents[99]) })
	t.Run("removed", func(t *testing.T) { removed(t, c, agents[98]) })
	t.Run("paused", func(t *testing.T) { paused(t, c, agents) })
	t.Run("killed", func(t *testing.T) { killed(t, c, agents) })
}

func commands(t *testing.T, c *cluster, agents []*agent) {
	for i := range 20 {
		a, asked := agents[i], c.gateways[(i+1)%gateways]
		made := ask(t, asked, a.id, `{"type":"reload"}`)
		received := takes(t, a)
		assert.Equal(t, made.ID, received.CommandId)
		assert.Equal(t, "RELOAD", received.GetAction().GetType())
		a.result(received.CommandId, i%2 == 0, "as asked")
		becomes(t, asked, made.ID, []string{"succeeded", "failed"}[i%2])
	}
	a := agents[1]
	update := ask(t, c.gateways[0], a.id, `{"type":"update","update":{"version":"1.111","url":"https://updates.example/1.111"}}`)
	assert.Equal(t, "1.111", takes(t, a).GetUpdate().GetVersion())
	becomes(t, c.gateways[3], update.ID, "sent")
	a.leave()
	a.version = "1.111"
	a.join(c.gateways[2].AgentAddr())
	becomes(t, c.gateways[3], update.ID, "succeeded")

	waiting := ask(t, c.gateways[0], agents[2].id, `{"type":"restart","expires_in_seconds":10}`)
	takes(t, agents[2])
	becomes(t, c.gateways[1], waiting.ID, "sent")
	agents[3].leave()
	shows(t, c.gateways[0], agents[3].id, "offline", "gateway-3") // before that it could still be given the command
	expiring := ask(t, c.gateways[0], agents[3].id, `{"type":"restart","expires_in_seconds":1}`)
	becomes(t, c.gateways[1], expiring.ID, "expired")
	agents[3].join(c.gateways[3].AgentAddr())
}

func logTail(t *testing.T, c *cluster, a *agent) {
	for i := range 30 {
		a.request(fmt.Sprintf("before-%d", i))
	}
	c.stored(t, "before-", 30)
	time.Sleep(2 * time.Second) // the next lines are of another second
	through := lines(t, c.gateways[3], "/api/v1/agents/"+a.id+"/logs?lines=5")
	for i := 25; i < 30; i++ {
		assert.Contains(t, <-through, fmt.Sprintf("before-%d\"", i))
	}
	for i := range 100 {
		a.request(fmt.Sprintf("during-%d", i))
	}
	for i := range 100 {
		assert.Contains(t, <-through, fmt.Sprintf("during-%d\"", i))
	}
	here := lines(t, c.gateways[0], "/api/v1/agents/"+a.id+"/logs?lines=3")
	assert.Contains(t, <-here, "during-97\"")
	c.stored(t, "during-", 100)
	c.stored(t, "before-", 30)
}

func agentsPort(t *testing.T, c *cluster) {
	conn, err := grpc.NewClient(c.gateways[4].AgentAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	client := agentv1.NewAgentServiceClient(conn)
	all, err := client.ListAgents(t.Context(), &agentv1.ListAgentsRequest{})
	require.NoError(t, err)
	assert.Len(t, all.Agents, fleet)
	assert.NotEmpty(t, all.SystemVersion)
	one, err := client.GetAgent(t.Context(), &agentv1.GetAgentRequest{AgentId: "web-007+10.0.0.7"})
	require.NoError(t, err)
	assert.Equal(t, "web-007-10-0-0-7", one.AgentId)
	assert.Equal(t, "online", one.Status)
	assert.Equal(t, "1.24.0", one.Version)
	assert.EqualValues(t, 1, one.InstancesCount)
	assert.Equal(t, "e2e", one.Labels["environment"])
	assert.InDelta(t, time.Now().Unix(), one.LastSeen, 60)
	_, err = client.GetAgent(t.Context(), &agentv1.GetAgentRequest{AgentId: "nobody"})
	assert.Equal(t, codes.NotFound, status.Code(err))
}

func metrics(t *testing.T, g *harness.Gateway) {
	everywhere(t, []*harness.Gateway{g}, "status=online", fleet, harness.WaitFor)
	m := g.Metrics(t)
	for _, name := range []string{
		"nginx_gateway_info", "nginx_gateway_agents_total", "nginx_gateway_messages_total", "nginx_gateway_db_operations_total", "nginx_gateway_db_latency_avg_ms",
		"nginx_gateway_goroutines", "nginx_gateway_memory_alloc_bytes", "nginx_gateway_memory_sys_bytes", "nginx_gateway_gc_pause_total_ns",
	} {
		assert.True(t, m.Has(name), name)
	}
	assert.True(t, m.Has("otelcol_process_memory_rss_bytes"), "the collector's own are beside them")
	assert.EqualValues(t, fleet, m.Sum("nginx_gateway_agents_total", map[string]string{"status": "online"}))
	assert.EqualValues(t, 1, m.Sum("nginx_gateway_info", nil))
	assert.Positive(t, m.Sum("nginx_gateway_db_operations_total", map[string]string{"operation": "sync", "outcome": "ok"}))
	assert.Positive(t, m.Sum("nginx_gateway_gc_pause_total_ns", nil))
	grown := func(name string) bool { return g.Metrics(t).Sum(name, nil) > m.Sum(name, nil) }
	for _, name := range []string{"nginx_gateway_messages_total", "nginx_gateway_db_operations_total"} {
		assert.Eventually(t, func() bool { return grown(name) }, harness.WaitFor, harness.Tick, name)
		assert.Equal(t, "COUNTER", m[name].GetType().String(), name)
	}
}

// ended waits for a stream's end and returns its status.
func ended(t *testing.T, c *connection) codes.Code {
	t.Helper()
	select {
	case <-c.done:
		return status.Code(c.err)
	case <-time.After(harness.WaitFor):
		t.Fatal("the stream stays open")
		return codes.OK
	}
}

func revoked(t *testing.T, c *cluster, a *agent) {
	stream := a.stream
	require.Equal(t, http.StatusOK, call(t, c.gateways[0], http.MethodPost, "/api/v1/agents/"+a.id+"/revoke", `{"reason":"stolen"}`, nil))
	assert.Equal(t, codes.PermissionDenied, ended(t, stream))
	assert.Equal(t, codes.PermissionDenied, ended(t, a.join(c.gateways[1].AgentAddr())), "refused everywhere")
	require.Equal(t, http.StatusOK, call(t, c.gateways[2], http.MethodPost, "/api/v1/agents/"+a.id+"/approve", "", nil))
	require.EventuallyWithT(t, func(ct *assert.CollectT) {
		if isDone(a.stream) { // this gateway does not know yet
			a.join(c.gateways[4].AgentAddr())
		}
		assert.Equal(ct, 1, agentsAt(ct, c.gateways[4], "status=online&text="+a.id).Total)
	}, harness.WaitFor, harness.Tick)
	everywhere(t, c.gateways, "status=online", fleet, harness.WaitFor)
}

func removed(t *testing.T, c *cluster, a *agent) {
	stream := a.stream
	require.Equal(t, http.StatusNoContent, call(t, c.gateways[1], http.MethodDelete, "/api/v1/agents/"+a.id, "", nil))
	assert.Equal(t, codes.Aborted, ended(t, stream))
	everywhere(t, c.gateways, "", fleet-1, harness.WaitFor)
	a.join(c.gateways[3].AgentAddr())
	everywhere(t, c.gateways, "status=online", fleet, harness.WaitFor)
	var history struct {
		Events []struct {
			Kind string `json:"kind"`
		} `json:"events"`
	}
	require.True(t, c.gateways[2].GetJSON(t, "/api/v1/agents/"+a.id+"/history", &history))
	assert.GreaterOrEqual(t, len(history.Events), 5)
}

// paused freezes a gateway for 30 s. Its agents' streams stay open meanwhile, but nobody vouches for them.
func paused(t *testing.T, c *cluster, agents []*agent) {
	before := agentsAt(t, c.gateways[0], "gateway=gateway-1").Total
	others := append([]*harness.Gateway{c.gateways[0]}, c.gateways[2:]...)
	c.gateways[1].Pause()
	stopped := time.Now()
	t.Logf("agents of a paused gateway offline after %s", everywhere(t, others, "status=offline", before, harness.WaitFor))
	moved := agents[6]
	moved.add(c.gateways[2].AgentAddr())
	everywhere(t, others, "status=offline", before-1, harness.WaitFor)
	time.Sleep(time.Until(stopped.Add(30 * time.Second)))
	c.gateways[1].Resume()
	t.Logf("online again %s after it woke", everywhere(t, c.gateways, "status=online", fleet, harness.WaitFor))
	for _, g := range c.gateways {
		shows(t, g, moved.id, "online", "gateway-2") // the gateway that slept does not take the agent back
	}
}

func killed(t *testing.T, c *cluster, agents []*agent) {
	others := c.gateways[1:]
	held := agentsAt(t, c.gateways[1], "status=online&gateway=gateway-0").Total
	require.Positive(t, held)
	c.gateways[0].Kill()
	took := everywhere(t, others, "status=offline", held, harness.WaitFor)
	t.Logf("%d agents of a killed gateway offline after %s", held, took)
	for i, a := range agents {
		if a.stream != nil && isDone(a.stream) {
			a.join(others[i%len(others)].AgentAddr())
		}
	}
	took = everywhere(t, others, "status=online", fleet, harness.WaitFor)
	t.Logf("online again on others after %s", took)
}

func isDone(c *connection) bool {
	select {
	case <-c.done:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// TestAgentThatMovesTwentyTimesASecond: whatever the order in which gateways notice, it is where it was last.
func TestAgentThatMovesTwentyTimesASecond(t *testing.T) {
	c := prepare(t, gateways)
	c.start()
	a := newAgent(t, "web-1-10-0-0-1")
	var old []*connection
	started := time.Now()
	for i := range 200 {
		next := a.add(c.gateways[i%gateways].AgentAddr())
		if len(old) > 0 { // the old stream's end is noticed after the new one has opened
			old[len(old)-1].close()
		}
		old = append(old, next)
		time.Sleep(time.Until(started.Add(time.Duration(i+1) * 50 * time.Millisecond)))
	}
	for _, g := range c.gateways {
		shows(t, g, a.id, "online", "gateway-4")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		for _, g := range c.gateways {
			require.Equal(t, 1, agentsAt(t, g, "status=online").Total, "no late end of an old stream shows it offline")
		}
		time.Sleep(harness.Tick)
	}
}
