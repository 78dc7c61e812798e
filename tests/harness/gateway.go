package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// GatewayOptions say how a gateway runs.
type GatewayOptions struct {
	// Config is what follows --config: "embedded:quickstart", or a path.
	Config string
	// Args are further arguments, as in --set=key=value.
	Args []string
	// ClickHouse is host:port, perhaps several with commas.
	ClickHouse string
	// Postgres is a DSN; empty where the configuration needs none.
	Postgres string
	// StateDir is AVIKA_STATE_DIR; empty: a new temporary folder.
	StateDir string
	// ID is GATEWAY_ID; default "gateway-1".
	ID string
	// Writer: the configuration is one that only reads from Kafka, so that there is just its health to wait for.
	Writer bool
	// NoOTLP: the configuration, unlike the shipped ones, has no OTLP receiver to wait for.
	NoOTLP bool
	// Env are further settings, "NAME=value"; they win.
	Env []string
	// Command is a whole command line in place of the built program with Config and Args.
	Command []string
}

// Gateway is a running otelcol-avika. It keeps ports and state through Restart.
type Gateway struct {
	t       testing.TB
	spec    localstack.Spec
	process *localstack.Process
	noOTLP  bool
	writer  bool

	localstack.GatewayPorts

	// StateDir is AVIKA_STATE_DIR.
	StateDir string
}

// StartGateway runs the built gateway and waits until it is ready.
func StartGateway(t testing.TB, opts GatewayOptions) *Gateway {
	t.Helper()
	g := NewGateway(t, opts)
	g.Start()
	return g
}

// NewGateway prepares a gateway without starting it.
func NewGateway(t testing.TB, opts GatewayOptions) *Gateway {
	t.Helper()
	ports, err := localstack.FreeGatewayPorts()
	require.NoError(t, err)
	g := &Gateway{t: t, GatewayPorts: ports, StateDir: opts.StateDir, noOTLP: opts.NoOTLP, writer: opts.Writer}
	if g.StateDir == "" {
		g.StateDir = tempDir(t)
	}
	command := opts.Command
	if command == nil {
		command = append([]string{Binary(t, "otelcol-avika"), "--config", opts.Config}, opts.Args...)
	}
	g.spec = localstack.Spec{
		Name: "the gateway", Args: command, Env: g.env(opts), LogFile: filepath.Join(tempDir(t), "gateway.log"), DeathSignal: syscall.SIGKILL,
	}
	showLogOnFailure(t, g.spec.Name, g.spec.LogFile)
	t.Cleanup(func() {
		if g.process != nil {
			_ = g.process.Stop(stopGrace)
		}
	})
	return g
}

func (g *Gateway) env(opts GatewayOptions) []string {
	id := opts.ID
	if id == "" {
		id = "gateway-1"
	}
	env := append(g.Env(), "AVIKA_STATE_DIR="+g.StateDir, "GATEWAY_ID="+id,
		"CLICKHOUSE_ENDPOINT="+opts.ClickHouse, "POSTGRES_DSN="+opts.Postgres)
	return append(env, opts.Env...)
}

// Start runs the gateway and waits until it is ready.
func (g *Gateway) Start() {
	g.t.Helper()
	g.Launch()
	g.WaitReady()
}

// Launch runs the gateway and does not wait.
func (g *Gateway) Launch() {
	g.t.Helper()
	p, err := localstack.StartProcess(g.spec)
	require.NoError(g.t, err)
	g.process = p
}

// WaitReady waits until /ready answers 200 and agents and OTLP senders can connect. A writer is ready when it is healthy.
func (g *Gateway) WaitReady() {
	g.t.Helper()
	require.Eventually(g.t, func() bool {
		if !g.Running() {
			g.t.Fatalf("the gateway ended before it was ready: %v", g.process.Err())
		}
		if g.writer {
			code, _, err := fetch(g.HealthURL())
			return err == nil && code == http.StatusOK
		}
		code, _, err := fetch(g.URL("/ready"))
		return err == nil && code == http.StatusOK && g.listens()
	}, startTimeout, Tick, "the gateway is not ready")
}

// listens tells whether receivers accept connections.
func (g *Gateway) listens() bool {
	ports := []int{g.Agent}
	if !g.noOTLP {
		ports = append(ports, g.OTLPGRPC, g.OTLPHTTP)
	}
	for _, port := range ports {
		conn, err := net.DialTimeout("tcp", localAddr(port), time.Second)
		if err != nil {
			return false
		}
		_ = conn.Close()
	}
	return true
}

// Stop ends the gateway gracefully and requires that it ends without an error.
func (g *Gateway) Stop() {
	g.t.Helper()
	require.NoError(g.t, g.process.Stop(stopGrace))
	require.NoError(g.t, g.process.Err())
}

// Kill ends the gateway with SIGKILL.
func (g *Gateway) Kill() {
	g.t.Helper()
	require.NoError(g.t, g.process.Kill())
}

// Pause freezes the gateway, Resume lets it go on.
func (g *Gateway) Pause() {
	g.t.Helper()
	require.NoError(g.t, g.process.Pause())
}

// Resume undoes Pause.
func (g *Gateway) Resume() {
	g.t.Helper()
	require.NoError(g.t, g.process.Resume())
}

// Restart stops the gateway gracefully and starts it on the same ports and state.
func (g *Gateway) Restart() {
	g.t.Helper()
	g.Stop()
	g.Start()
}

// Running tells whether the process lives.
func (g *Gateway) Running() bool {
	select {
	case <-g.process.Done():
		return false
	default:
		return true
	}
}

// PID is the process id.
func (g *Gateway) PID() int { return g.process.PID() }

// LogFile is where the gateway's output goes.
func (g *Gateway) LogFile() string { return g.spec.LogFile }

// OTLPHTTPURL is the address of an OTLP/HTTP path, as in /v1/logs.
func (g *Gateway) OTLPHTTPURL(path string) string {
	return "http://" + localAddr(g.OTLPHTTP) + path
}

// HealthURL is the address of the collector's health check.
func (g *Gateway) HealthURL() string { return "http://" + localAddr(g.Health) + "/" }

// GetJSON decodes the answer of a path of the registry's HTTP interface, which must be 200.
func (g *Gateway) GetJSON(t assert.TestingT, path string, into any) bool {
	code, body, err := fetch(g.URL(path))
	return assert.NoError(t, err) && assert.Equal(t, http.StatusOK, code, "%s: %s", path, body) &&
		assert.NoError(t, json.Unmarshal(body, into), "%s: %s", path, body)
}

func localAddr(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// maxBody bounds what is read of an answer.
const maxBody = 64 << 20

func fetch(url string) (code int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", url, err)
	}
	return resp.StatusCode, body, nil
}
