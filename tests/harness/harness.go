package harness

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// Times that tests share.
const (
	startTimeout = 60 * time.Second
	stopGrace    = 60 * time.Second // as Kubernetes waits for a pod of the chart
	// WaitFor bounds how long something in the background may take, Tick is the time between two looks.
	WaitFor = time.Minute
	Tick    = 50 * time.Millisecond
)

// Root is the repository's folder.
func Root(t testing.TB) string {
	t.Helper()
	root, err := localstack.RepositoryRoot()
	require.NoError(t, err)
	return root
}

// Binary is the path of a built program.
func Binary(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(t), "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run `make bin/%s` at the root of the repository (%v)", name, name, err)
	}
	return path
}

// ConfigFile is the path of a shipped configuration.
func ConfigFile(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(Root(t), "distributions", "avika-gateway", "config", name+".yaml")
}

// Ports are n free loopback ports.
func Ports(t testing.TB, n int) []int {
	t.Helper()
	ports, err := localstack.FreePorts(n)
	require.NoError(t, err)
	return ports
}

// startContext bounds the start of a server. It is not the test's own context, which ends before clean-up.
func startContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	t.Cleanup(cancel)
	return ctx
}

// showLogOnFailure prints the end of a log when the test failed.
func showLogOnFailure(t testing.TB, name, path string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", name, localstack.Tail(path, 40))
		}
	})
}

// ShowLogOnFailure prints the end of the log of what a test starts by itself.
func ShowLogOnFailure(t testing.TB, name, path string) { showLogOnFailure(t, name, path) }

// needs skips the test with the reason when a server cannot be started here, and fails it in CI.
func needs(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		testenv.Missing(t, err.Error())
	}
}

// tempDir is a folder that servers under another user can enter, which the testing package's are.
func tempDir(t testing.TB) string {
	t.Helper()
	return t.TempDir()
}
