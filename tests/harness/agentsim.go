package harness

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// Agent is a running agentsim.
type Agent struct {
	t       testing.TB
	process *localstack.Process
}

// StartAgent runs an agentsim in the background; --gateway is added.
func StartAgent(t testing.TB, gateway string, args ...string) *Agent {
	t.Helper()
	log := filepath.Join(tempDir(t), "agentsim.log")
	p, err := localstack.StartProcess(localstack.Spec{
		Name: "agentsim", Args: append([]string{Binary(t, "agentsim"), "--gateway", gateway}, args...), LogFile: log,
		DeathSignal: syscall.SIGKILL,
	})
	require.NoError(t, err)
	showLogOnFailure(t, "agentsim", log)
	t.Cleanup(func() { _ = p.Stop(stopGrace) })
	return &Agent{t: t, process: p}
}

// Stop lets the agent send what is under way and waits for its end.
func (a *Agent) Stop() {
	a.t.Helper()
	require.NoError(a.t, a.process.Stop(stopGrace))
}

// Kill ends the agent with SIGKILL.
func (a *Agent) Kill() {
	a.t.Helper()
	require.NoError(a.t, a.process.Kill())
}

// Done is closed when the agent has ended.
func (a *Agent) Done() <-chan struct{} { return a.process.Done() }

// TailNGINX runs an agent on an NGINX's logs, from their start.
func TailNGINX(t testing.TB, gateway string, n *NGINX, args ...string) *Agent {
	t.Helper()
	all := append([]string{
		"--tail", n.AccessLog(), "--error-log", n.ErrorLog(), "--stub-status", n.StatusURL(), "--from-start",
	}, args...)
	return StartAgent(t, gateway, all...)
}
