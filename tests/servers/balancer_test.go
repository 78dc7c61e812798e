package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nginxconf "github.com/avika-ai/avika-collector/deploy/nginx"
	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

const balancerConfig = `pid nginx.pid;
error_log logs/error.log info;
%s
events {}
%s
http {
  access_log off;
  client_body_temp_path tmp/body; proxy_temp_path tmp/proxy; fastcgi_temp_path tmp/fastcgi; uwsgi_temp_path tmp/uwsgi; scgi_temp_path tmp/scgi;
  server { listen 127.0.0.1:%d; location / { return 200; } }
  %s
}
`

// startBalancer runs the shipped balancer before two gateways and returns the address for agents.
func startBalancer(t *testing.T, kind string, gateways ...*harness.Gateway) string {
	t.Helper()
	ports := harness.Ports(t, 2)
	addr := "127.0.0.1:" + strconv.Itoa(ports[0])
	shipped := map[string]string{"grpc": nginxconf.BalancerGRPC, "stream": nginxconf.BalancerStream}[kind]
	shipped = strings.NewReplacer("gateway-1:5020", gateways[0].AgentAddr(), "gateway-2:5020", gateways[1].AgentAddr(),
		"listen 5020 ", "listen "+addr+" ").Replace(shipped)
	load, stream, http := "", "", shipped
	if kind == "stream" {
		load, stream, http = streamModule(), shipped, ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), harness.WaitFor)
	defer cancel()
	n, err := localstack.StartNGINX(ctx, localstack.NGINXOptions{
		Config: fmt.Sprintf(balancerConfig, load, stream, ports[1], http), Ready: fmt.Sprintf("http://127.0.0.1:%d/", ports[1]),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, n.Stop()) })
	harness.ShowLogOnFailure(t, "NGINX", filepath.Join(n.Dir(), "logs", "error.log"))
	return addr
}

// streamModule loads NGINX's stream module where it is not built in.
func streamModule() string {
	const path = "/usr/lib/nginx/modules/ngx_stream_module.so"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return "load_module " + path + ";"
}

// TestBalancers: agents behind each of the shipped balancers divide among gateways, also among those that come later, because
// a connection ends at its age. What that costs is counted: nothing through a balancer that passes TCP on; what one that ends the agents' streams holds
// then is lost.
func TestBalancers(t *testing.T) {
	for _, kind := range []string{"grpc", "stream"} {
		t.Run(kind, func(t *testing.T) { requireBalanced(t, kind) })
	}
}

const balancedAgents = 12

// underWay is how many lines each end of a connection may cost.
var underWay = map[string]int{"stream": 1, "grpc": 100}

func requireBalanced(t *testing.T, kind string) {
	t.Helper()
	ch := harness.StartClickHouse(t)
	gateways := agingGateways(t, ch)
	gateways[0].Start()
	addr := startBalancer(t, kind, gateways...)
	fleet := harness.StartFleet(t, addr, "--agents", strconv.Itoa(balancedAgents), "--rate", "100", "--reconnect-wait", "200ms", "--drain", "30s")
	require.Eventually(t, func() bool { return streams(t, gateways[0]) >= balancedAgents }, harness.WaitFor, harness.Tick, "all agents are on the first gateway")
	gateways[1].Start()
	// NGINX avoids a gateway that it could not reach before for ten seconds.
	require.Eventually(t, func() bool { return streams(t, gateways[1]) >= balancedAgents/3 }, harness.WaitFor, harness.Tick, "no agents moved to the second gateway")
	time.Sleep(6 * time.Second) // so that connections end at both
	requireCounted(t, kind, ch, gateways, fleet.Stop())
}

// agingGateways end connections after 3 s, give or take 10 % so that agents do not all come at once.
func agingGateways(t *testing.T, ch *harness.ClickHouse) []*harness.Gateway {
	t.Helper()
	var gateways []*harness.Gateway
	for i := range 2 {
		gateways = append(gateways, harness.NewGateway(t, harness.GatewayOptions{
			Config: "embedded:quickstart", ClickHouse: ch.Addr(), ID: fmt.Sprint("gateway-", i+1), Args: []string{
				"--set=receivers::avika::keepalive::server_parameters::max_connection_age=3s",
				"--set=receivers::avika::keepalive::server_parameters::max_connection_age_grace=1s",
			},
		}))
	}
	return gateways
}

func requireCounted(t *testing.T, kind string, ch *harness.ClickHouse, gateways []*harness.Gateway, summary map[string]any) {
	t.Helper()
	for _, g := range gateways {
		g.Stop() // everything that was read is stored now
	}
	sent, ok := summary["log_entries"].(float64)
	require.True(t, ok)
	require.Positive(t, sent)
	broken, ok := summary["broken_streams"].(float64)
	require.True(t, ok)
	require.GreaterOrEqual(t, int(broken), balancedAgents, "connections ended at their age")
	stored := ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs")
	lost := int(sent) - int(stored)
	t.Logf("%d connections ended, %d of %d lines were lost with them", int(broken), lost, int(sent))
	assert.LessOrEqual(t, lost, int(broken)*underWay[kind])
	assert.Equal(t, stored, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"), "no line came twice")
}

// streams is how many agents a gateway holds.
func streams(t *testing.T, g *harness.Gateway) int {
	t.Helper()
	return int(g.Metrics(t).Sum("otelcol_receiver_avika_streams", nil))
}
