package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// sandbox is a root file system in a mount namespace of its own, at /mnt, which ends with the test.
type sandbox struct {
	pid int
}

// newSandbox runs a shell script that mounts a root file system at /mnt, in a namespace where nothing else sees it.
func newSandbox(t *testing.T, mounts string, args ...string) *sandbox {
	t.Helper()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "mounts in a namespace need root")
	}
	log := filepath.Join(t.TempDir(), "mounts.log")
	ready := filepath.Join(t.TempDir(), "ready")
	script := "set -e\n" + mounts + "\nmount -t proc proc /mnt/proc\ntouch " + ready + "\nexec sleep infinity"
	p, err := localstack.StartProcess(localstack.Spec{
		Name: "the sandbox", LogFile: log, DeathSignal: syscall.SIGKILL,
		Args: append([]string{"unshare", "--mount", "sh", "-c", script, "sh"}, args...),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	harness.ShowLogOnFailure(t, "the sandbox", log)
	require.Eventually(t, func() bool {
		_, err := os.Stat(ready)
		return err == nil
	}, harness.WaitFor, harness.Tick, "nothing is mounted")
	return &sandbox{p.PID()}
}

func readFile(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// command is a command line that runs something in the sandbox; options are chroot's.
func (s *sandbox) command(options []string, args ...string) []string {
	enter := append([]string{"nsenter", "--mount=/proc/" + strconv.Itoa(s.pid) + "/ns/mnt", "chroot"}, options...)
	return append(append(enter, "/mnt"), args...)
}

// run executes a shell script as root and returns what it says.
func (s *sandbox) run(t *testing.T, script string) string {
	t.Helper()
	out, err := s.try(script)
	require.NoError(t, err, "%s\n%s", script, out)
	return out
}

func (s *sandbox) try(script string) (string, error) {
	args := s.command(nil, "sh", "-ec", script)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
