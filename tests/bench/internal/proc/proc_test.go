package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadCountsChildrenThatHaveEnded(t *testing.T) {
	before, err := Read(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, before.RSS)
	require.NoError(t, exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").Run())
	after, err := Read(os.Getpid())
	require.NoError(t, err)
	assert.Greater(t, after.CPU, before.CPU+20*time.Millisecond)
	peak, err := PeakRSS(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, peak)
}

func TestReadCountsLivingDescendants(t *testing.T) {
	child := exec.Command("sh", "-c", "sleep 5 & wait")
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	alone := Usage{}
	alone.add(mustStat(t, child.Process.Pid))
	require.Eventually(t, func() bool {
		all, err := Read(child.Process.Pid)
		return err == nil && all.RSS > alone.RSS
	}, 5*time.Second, 10*time.Millisecond)
}

func mustStat(t *testing.T, pid int) stat {
	t.Helper()
	all, err := readAll()
	require.NoError(t, err)
	return all[pid]
}

func TestReadOfNoProcess(t *testing.T) {
	_, err := Read(1 << 30)
	require.ErrorContains(t, err, "does not live")
}

func TestParseNameWithBrackets(t *testing.T) {
	s := parse("12 (a ) b) S 7 0 0 0 0 0 0 0 0 0 1 2 3 4 0 0 0 0 0 0 99")
	assert.Equal(t, stat{parent: 7, cpuTicks: 10, rssPages: 99}, s)
}
