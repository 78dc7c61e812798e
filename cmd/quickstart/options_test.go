package main

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

func noEnv(string) string { return "" }

func TestDefaults(t *testing.T) {
	got, err := parseOptions(nil, noEnv)
	require.NoError(t, err)
	root, err := localstack.RepositoryRoot()
	require.NoError(t, err)
	assert.Equal(t, options{
		root: root, data: filepath.Join(root, ".local"), database: "nginx_analytics", username: "default",
		clickHousePort: 9000, clickHouseHTTPPort: 8123, agentPort: 5020, httpPort: 5021, metricsPort: 5022,
		otlpGRPCPort: 4317, otlpHTTPPort: 4318, healthPort: 13133, pprofPort: 1777, zpagesPort: 55679, nginxPort: 8080, rate: 20, interval: time.Second,
	}, got)
}

func TestOptionsReachTheGateway(t *testing.T) {
	o, err := parseOptions([]string{
		"--agent-port", "1", "--http-port", "2", "--metrics-port", "3", "--otlp-grpc-port", "4",
		"--otlp-http-port", "5", "--health-port", "6", "--pprof-port", "7", "--zpages-port", "8", "--data", "/data",
	}, noEnv)
	require.NoError(t, err)
	t.Setenv("GATEWAY_ID", "")
	assert.ElementsMatch(t, []string{
		"AVIKA_LISTEN_HOST=127.0.0.1", "AVIKA_STATE_DIR=/data/gateway", "AVIKA_AGENT_PORT=1", "AVIKA_HTTP_PORT=2",
		"AVIKA_METRICS_PORT=3", "OTLP_GRPC_PORT=4", "OTLP_HTTP_PORT=5", "HEALTH_PORT=6", "PPROF_PORT=7", "ZPAGES_PORT=8", "CLICKHOUSE_ENDPOINT=ch:9000",
		"CLICKHOUSE_DATABASE=nginx_analytics", "CLICKHOUSE_USERNAME=default", "CLICKHOUSE_PASSWORD=", "GATEWAY_ID=quickstart",
	}, o.gatewayEnv("ch:9000"))
}

func TestWrongOptions(t *testing.T) {
	for _, args := range [][]string{{"--rate", "-1"}, {"--status-interval", "0s"}, {"extra"}, {"--no-such"}} {
		_, err := parseOptions(args, noEnv)
		assert.Error(t, err, args)
	}
}

func TestTakenPortsAreNamedWithTheirOption(t *testing.T) {
	l, err := net.Listen("tcp", addr(0))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	free, err := localstack.FreePorts(11)
	require.NoError(t, err)
	var o options
	for i, p := range o.ports() {
		*p.number = free[i]
	}
	require.NoError(t, o.checkPorts())
	o.nginxPort, _ = strconv.Atoi(taken)
	require.ErrorContains(t, o.checkPorts(), "port "+taken+" (NGINX) is in use: choose another with --nginx-port")
	o.nginxPort, o.clickHousePort = free[10], o.nginxPort
	require.ErrorContains(t, o.checkPorts(), "--clickhouse-port")
	o.clickHouse = "elsewhere:9000"
	assert.NoError(t, o.checkPorts(), "an existing ClickHouse needs no port")
}
