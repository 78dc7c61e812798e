package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// quickstart is a running `make run`, on ports of the test's own.
type quickstart struct {
	process *localstack.Process
	data    string
	ports   []int
}

var quickstartPorts = []string{
	"clickhouse-port", "clickhouse-http-port", "agent-port", "http-port", "metrics-port", "otlp-grpc-port",
	"otlp-http-port", "health-port", "pprof-port", "zpages-port", "nginx-port",
}

func startQuickstart(t *testing.T, data string, ports []int, extra ...string) *quickstart {
	t.Helper()
	args := []string{harness.Binary(t, "quickstart"), "--data", data, "--status-interval", "200ms"}
	for i, name := range quickstartPorts {
		args = append(args, "--"+name, strconv.Itoa(ports[i]))
	}
	q := &quickstart{data: data, ports: ports}
	var err error
	q.process, err = localstack.StartProcess(localstack.Spec{
		Name: "quickstart", Args: append(args, extra...), LogFile: filepath.Join(t.TempDir(), "quickstart.log"), StopSignal: syscall.SIGINT,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = q.process.Stop(time.Minute)
		if t.Failed() {
			t.Logf("quickstart said:\n%s", localstack.Tail(q.process.LogFile(), 60))
		}
	})
	return q
}

func (q *quickstart) said() string { return localstack.Tail(q.process.LogFile(), 1000) }

// waitStatus waits until the live status shows an agent and rows, and returns the number of rows.
func (q *quickstart) waitStatus(t *testing.T) (rows int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range strings.Lines(q.said()) {
			parts := strings.Split(strings.TrimSpace(line), " · ")
			if len(parts) != 3 || parts[0] != "agents online 1" {
				continue
			}
			rows, _ = strconv.Atoi(strings.ReplaceAll(strings.TrimPrefix(parts[1], "rows stored "), " ", ""))
		}
		return rows > 0
	}, 2*time.Minute, 100*time.Millisecond)
	return rows
}

// left lists processes that have the data folder in their command line or environment.
func (q *quickstart) left() (names []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil || e.Name() == strconv.Itoa(os.Getpid()) {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if strings.Contains(string(cmdline)+string(environ), q.data) {
			names = append(names, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return names
}

// requireNothingLeft looks at ports too: a process that is ending has lost its command line before its sockets.
func (q *quickstart) requireNothingLeft(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Empty(c, q.left())
		for i, port := range q.ports {
			assert.False(c, localstack.PortInUse("127.0.0.1:"+strconv.Itoa(port)), quickstartPorts[i])
		}
	}, harness.WaitFor, 100*time.Millisecond)
}

// TestQuickstartRunsStopsAndKeepsItsData is `make run`, Ctrl-C, and `make run` again.
func TestQuickstartRunsStopsAndKeepsItsData(t *testing.T) {
	data, ports := t.TempDir(), harness.Ports(t, len(quickstartPorts))
	q := startQuickstart(t, data, ports)
	first := q.waitStatus(t)
	assert.GreaterOrEqual(t, len(q.left()), 5, "ClickHouse, the gateway, NGINX, the agent, quickstart")
	require.NoError(t, q.process.Stop(time.Minute))
	require.NoError(t, q.process.Err(), "Ctrl-C is a success")
	q.requireNothingLeft(t)
	again := startQuickstart(t, data, ports, "--rate", "0")
	assert.GreaterOrEqual(t, again.waitStatus(t), first, "the rows of the first run")
	require.NoError(t, again.process.Stop(time.Minute))
	again.requireNothingLeft(t)
}

// TestQuickstartKilledLeavesNothing: SIGKILL gives it no chance to stop what it started.
func TestQuickstartKilledLeavesNothing(t *testing.T) {
	q := startQuickstart(t, t.TempDir(), harness.Ports(t, len(quickstartPorts)))
	q.waitStatus(t)
	require.NoError(t, q.process.Signal(syscall.SIGKILL))
	<-q.process.Done()
	q.requireNothingLeft(t)
}

// TestQuickstartShowsWhyAPartEnded: the end of its log, and everything else is stopped.
func TestQuickstartShowsWhyAPartEnded(t *testing.T) {
	q := startQuickstart(t, t.TempDir(), harness.Ports(t, len(quickstartPorts)))
	q.waitStatus(t)
	killGateway(t, q)
	select {
	case <-q.process.Done():
	case <-time.After(time.Minute):
		t.Fatal("quickstart goes on without its gateway")
	}
	require.Error(t, q.process.Err())
	assert.Contains(t, q.said(), "gateway ended by itself")
	q.requireNothingLeft(t)
}

func killGateway(t *testing.T, q *quickstart) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && strings.Contains(string(environ), "AVIKA_STATE_DIR="+q.data) && strings.Contains(string(cmdline), "otelcol-avika") {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			return
		}
	}
	t.Fatal("no gateway of this quickstart")
}

// TestQuickstartNamesATakenPort before it starts anything.
func TestQuickstartNamesATakenPort(t *testing.T) {
	n := harness.StartNGINX(t, harness.FormatJSON)
	port := strings.TrimSuffix(strings.TrimPrefix(n.URL("/"), "http://127.0.0.1:"), "/")
	q := startQuickstart(t, t.TempDir(), harness.Ports(t, len(quickstartPorts)), "--agent-port", port)
	<-q.process.Done()
	require.Error(t, q.process.Err())
	assert.Contains(t, q.said(), "port "+port+" (agents, gRPC) is in use: choose another with --agent-port")
	assert.NotContains(t, q.said(), "starting ClickHouse")
}

// TestQuickstartUsesAnExistingClickHouse, and leaves it running.
func TestQuickstartUsesAnExistingClickHouse(t *testing.T) {
	ch := harness.StartClickHouse(t)
	t.Setenv("CLICKHOUSE_ENDPOINT", ch.Addr())
	t.Setenv("CLICKHOUSE_DATABASE", "elsewhere")
	q := startQuickstart(t, t.TempDir(), harness.Ports(t, len(quickstartPorts)))
	q.waitStatus(t)
	assert.Contains(t, q.said(), "using ClickHouse at "+ch.Addr())
	require.NoError(t, q.process.Stop(time.Minute))
	q.requireNothingLeft(t)
	assert.NotZero(t, ch.Uint(t, "SELECT count() FROM elsewhere.access_logs"))
}
