package helm

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// gatewayOf runs a rendered gateway's configuration under its rendered environment, with this machine's addresses.
func gatewayOf(t *testing.T, m *manifests, id, clickhouse, postgres string) *harness.Gateway {
	t.Helper()
	file := filepath.Join(t.TempDir(), "relay.yaml")
	require.NoError(t, os.WriteFile(file, []byte(m.relay("avika-gateway")), 0o600))
	var env []string
	for name, value := range m.env("avika-gateway") {
		if name != "CLICKHOUSE_ENDPOINT" && name != "POSTGRES_DSN" {
			env = append(env, name+"="+value)
		}
	}
	return harness.StartGateway(t, harness.GatewayOptions{Config: file, ClickHouse: clickhouse, Postgres: postgres, ID: id, Env: env})
}

// TestRollout: both replicas are replaced under load, in the order in which Kubernetes does it. What clients had acknowledged is
// stored, and so is what agents count as sent, though their protocol has no acknowledgement; no line is stored twice. gRPC's client can lose one
// with each stream that ends (docs/adr/017), and hardly ever does.
func TestRollout(t *testing.T) {
	const agents, total = 40, 40_000
	m := render(t, set("gateway.replicaCount=2", "clickhouse.password=secret")...)
	ch := startClickHouse(t, m)
	pg := harness.StartPostgres(t).DSN()
	old := []*harness.Gateway{gatewayOf(t, m, "old-1", ch.Addr(), pg), gatewayOf(t, m, "old-2", ch.Addr(), pg)}
	forAgents := startService(t, old[0].AgentAddr(), old[1].AgentAddr())
	forOTLP := startService(t, otlpAddr(old[0]), otlpAddr(old[1]))
	client := startClient(t, forOTLP.addr())
	fleet := harness.StartFleet(t, forAgents.addr(), "--transport=grpc", "--agents=40", "--rate=100", "--total=40000", "--reconnect-wait=1s")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Greater(c, ch.Uint(c, rows), uint64(5000))
	}, harness.WaitFor, harness.Tick)
	for i, g := range old {
		replacement := gatewayOf(t, m, []string{"new-1", "new-2"}[i], ch.Addr(), pg)
		forAgents.add(replacement.AgentAddr())
		forOTLP.add(otlpAddr(replacement))
		forAgents.remove(g.AgentAddr())
		forOTLP.remove(otlpAddr(g))
		time.Sleep(time.Second) // the preStop hook
		g.Stop()
	}
	assert.EqualValues(t, total, fleet.Wait()["log_entries"])
	acknowledged := client.stop()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, acknowledged, ch.Uint(c, "SELECT uniqExact(Body) FROM nginx_analytics.otel_logs"), "acknowledged records")
		assert.GreaterOrEqual(c, ch.Uint(c, rows), uint64(total-agents), "lines of agents")
	}, harness.WaitFor, harness.Tick)
	assert.Equal(t, ch.Uint(t, rows), ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"), "a line is there twice")
	t.Logf("lines lost: %d of %d; records acknowledged and stored: %d", total-ch.Uint(t, rows), total, acknowledged)
}

const rows = "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs"

// service spreads connections over backends in turn, as a Service does; those that are there stay.
type service struct {
	t        *testing.T
	listener net.Listener
	mu       sync.Mutex
	backends []string
	next     int
	conns    []net.Conn
	copying  sync.WaitGroup
}

func startService(t *testing.T, backends ...string) *service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &service{t: t, listener: l, backends: backends}
	s.copying.Go(s.serve)
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.copying.Wait()
	})
	return s
}

func (s *service) addr() string { return s.listener.Addr().String() }

func (s *service) add(backend string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backends = append(s.backends, backend)
}

func (s *service) remove(backend string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backends = slices.DeleteFunc(s.backends, func(b string) bool { return b == backend })
}

func (s *service) serve() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.next++
		backend := s.backends[s.next%len(s.backends)]
		s.mu.Unlock()
		server, err := net.Dial("tcp", backend)
		if err != nil {
			_ = client.Close()
			continue
		}
		s.mu.Lock()
		s.conns = append(s.conns, client, server)
		s.mu.Unlock()
		s.join(client, server)
	}
}

// join copies both ways; the end of either side's sending is passed on, so that nothing under way is lost here.
func (s *service) join(a, b net.Conn) {
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		s.copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].(*net.TCPConn).CloseWrite()
		})
	}
}
