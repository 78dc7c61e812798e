package localstack_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// parentVariable makes this test binary a parent that starts a child, prints its id and waits to be killed.
const parentVariable = "AVIKA_TEST_PARENT"

func TestMain(m *testing.M) {
	if script := os.Getenv(parentVariable); script != "" {
		p, err := localstack.StartProcess(localstack.Spec{Name: "child", Args: []string{"sh", "-c", script}})
		if err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString(strconv.Itoa(p.PID()) + "\n")
		<-p.Done()
	}
	os.Exit(m.Run())
}

func TestChildDiesWithItsKilledParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentVariable+"=exec sleep 300")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, 0))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	assert.Eventually(t, func() bool { return !running(child) }, waitFor, 10*time.Millisecond)
}

// running is false for a zombie, which a container without an init process may keep.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestKillEndsDescendants(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	p, err := localstack.StartProcess(localstack.Spec{
		Name: "parent", Args: []string{"sh", "-c", "sleep 300 & echo $! >" + file + ".tmp; mv " + file + ".tmp " + file + "; wait"},
	})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.FileExists(c, file) }, waitFor, 5*time.Millisecond)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	grandchild, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, p.Kill())
	assert.False(t, running(grandchild))
	require.NoError(t, p.Kill(), "again")
	require.Error(t, p.Err())
}

func TestStopKillsWhatDoesNotStop(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := localstack.StartProcess(localstack.Spec{
		Name: "stubborn", Args: []string{"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"}, LogFile: log,
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return localstack.Tail(log, 1) == "ready" }, waitFor, 5*time.Millisecond)
	require.ErrorContains(t, p.Stop(50*time.Millisecond), "was killed")
	select {
	case <-p.Done():
	default:
		t.Fatal("still runs")
	}
}

func TestStopSendsTheStopSignal(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := localstack.StartProcess(localstack.Spec{
		Name: "polite", LogFile: log, StopSignal: syscall.SIGINT,
		Args: []string{"sh", "-c", "trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.01; done"},
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return localstack.Tail(log, 1) == "ready" }, waitFor, 5*time.Millisecond)
	require.NoError(t, p.Pause())
	require.NoError(t, p.Stop(waitFor), "a paused process too")
	assert.Equal(t, "ready\nbye", localstack.Tail(log, 5))
	assert.NoError(t, p.Err())
}

func TestStartProcessThatDoesNotExist(t *testing.T) {
	_, err := localstack.StartProcess(localstack.Spec{Name: "nothing", Args: []string{"/does/not/exist"}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFreePortsAreDifferentAndFree(t *testing.T) {
	ports, err := localstack.FreePorts(20)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, port := range ports {
		assert.False(t, seen[port])
		seen[port] = true
		assert.False(t, localstack.PortInUse("127.0.0.1:"+strconv.Itoa(port)))
	}
}
