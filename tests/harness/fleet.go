package harness

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fleetTimeout bounds how long a fleet takes to its end.
const fleetTimeout = 5 * time.Minute

// Fleet is a running agentsim with many agents.
type Fleet struct {
	t   testing.TB
	cmd *exec.Cmd
	out bytes.Buffer
}

// StartFleet runs an agentsim in the background; --gateway and --json are added. Without --total and --duration it runs until Stop.
func StartFleet(t testing.TB, gateway string, args ...string) *Fleet {
	t.Helper()
	f := &Fleet{t: t, cmd: exec.Command(Binary(t, "agentsim"), append([]string{"--gateway", gateway, "--json"}, args...)...)}
	f.cmd.Stdout, f.cmd.Stderr, f.cmd.WaitDelay = &f.out, os.Stderr, time.Second
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, f.cmd.Start())
	t.Cleanup(func() { _ = f.cmd.Process.Kill() })
	return f
}

// Stop lets the fleet send what is due, up to its --drain, and returns its JSON summary. Everything in it has been read by the gateway.
func (f *Fleet) Stop() map[string]any {
	f.t.Helper()
	require.NoError(f.t, f.cmd.Process.Signal(syscall.SIGTERM))
	return f.Wait()
}

// Wait for the end of a fleet with --total or --duration, and return its JSON summary.
func (f *Fleet) Wait() map[string]any {
	f.t.Helper()
	timer := time.AfterFunc(fleetTimeout, func() { _ = f.cmd.Process.Kill() })
	defer timer.Stop()
	require.NoError(f.t, f.cmd.Wait(), "agentsim said: %s", &f.out)
	var summary map[string]any
	require.NoError(f.t, json.Unmarshal(f.out.Bytes(), &summary), "%s", &f.out)
	return summary
}

// RunFleet runs an agentsim to its end and returns its JSON summary.
func RunFleet(t testing.TB, gateway string, args ...string) map[string]any {
	t.Helper()
	return StartFleet(t, gateway, args...).Wait()
}
