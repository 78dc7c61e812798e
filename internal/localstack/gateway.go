package localstack

import (
	"context"
	"path/filepath"
	"strconv"
	"syscall"
)

// GatewayPorts are the loopback ports of a gateway with a shipped configuration.
type GatewayPorts struct{ Agent, HTTP, Metrics, OTLPGRPC, OTLPHTTP, Health, Pprof, Zpages int }

// FreeGatewayPorts finds ports that nothing listens on.
func FreeGatewayPorts() (GatewayPorts, error) {
	p, err := FreePorts(8)
	if err != nil {
		return GatewayPorts{}, err
	}
	return GatewayPorts{
		Agent: p[0], HTTP: p[1], Metrics: p[2], OTLPGRPC: p[3], OTLPHTTP: p[4], Health: p[5], Pprof: p[6], Zpages: p[7],
	}, nil
}

// Env is the ports as the settings of the shipped configurations, docs/configuration.md.
func (p GatewayPorts) Env() []string {
	return []string{
		"AVIKA_LISTEN_HOST=" + host,
		"AVIKA_AGENT_PORT=" + strconv.Itoa(p.Agent), "AVIKA_HTTP_PORT=" + strconv.Itoa(p.HTTP),
		"AVIKA_METRICS_PORT=" + strconv.Itoa(p.Metrics), "HEALTH_PORT=" + strconv.Itoa(p.Health),
		"PPROF_PORT=" + strconv.Itoa(p.Pprof), "ZPAGES_PORT=" + strconv.Itoa(p.Zpages),
		"OTLP_GRPC_PORT=" + strconv.Itoa(p.OTLPGRPC), "OTLP_HTTP_PORT=" + strconv.Itoa(p.OTLPHTTP),
	}
}

// AgentAddr is host:port for agents.
func (p GatewayPorts) AgentAddr() string { return address(p.Agent) }

// OTLPGRPCAddr is host:port for OTLP over gRPC.
func (p GatewayPorts) OTLPGRPCAddr() string { return address(p.OTLPGRPC) }

// PprofAddr is host:port of profiles.
func (p GatewayPorts) PprofAddr() string { return address(p.Pprof) }

// URL is the address of a path of the registry's HTTP interface.
func (p GatewayPorts) URL(path string) string { return "http://" + address(p.HTTP) + path }

// MetricsURL is the address of the gateway's own metrics.
func (p GatewayPorts) MetricsURL() string { return "http://" + address(p.Metrics) + "/metrics" }

// GatewayOptions say how a built gateway runs.
type GatewayOptions struct {
	// Binary is the path of the built gateway.
	Binary string
	// Args follow it: --config and what else there is.
	Args []string
	// Dir holds its state, and its log.
	Dir string
	// ID is GATEWAY_ID.
	ID string
	// ClickHouse is host:port; Postgres a DSN, empty where the configuration needs none.
	ClickHouse, Postgres string
	// Env are further settings, "NAME=value"; they win.
	Env []string
	// Writer: the configuration only reads from Kafka, so that it is ready when its health check is.
	Writer bool
}

// Gateway is a running gateway. It keeps ports and state through Kill and Restart.
type Gateway struct {
	server
	GatewayPorts
}

// StartGateway runs a gateway with a shipped configuration and waits until /ready answers 200.
func StartGateway(ctx context.Context, opts GatewayOptions) (*Gateway, error) {
	ports, err := FreeGatewayPorts()
	if err != nil {
		return nil, err
	}
	g := &Gateway{GatewayPorts: ports}
	env := append(ports.Env(), "AVIKA_STATE_DIR="+filepath.Join(opts.Dir, "state"), "GATEWAY_ID="+opts.ID,
		"CLICKHOUSE_ENDPOINT="+opts.ClickHouse, "POSTGRES_DSN="+opts.Postgres)
	g.server = server{
		spec: Spec{
			Name: "gateway " + opts.ID, Args: append([]string{opts.Binary}, opts.Args...), Env: append(env, opts.Env...),
			LogFile: filepath.Join(opts.Dir, "gateway.log"), DeathSignal: syscall.SIGKILL,
		},
		ready: func(ctx context.Context) error { return httpOK(ctx, g.readyURL(opts.Writer)) }, grace: stopGrace,
	}
	return g, g.start(ctx)
}

func (g *Gateway) readyURL(writer bool) string {
	if writer {
		return "http://" + address(g.Health) + "/"
	}
	return g.URL("/ready")
}
