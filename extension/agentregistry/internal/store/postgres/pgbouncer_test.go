package postgres

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/storetest"
	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// bouncer runs a PgBouncer in transaction mode before the server of a DSN and returns its host:port.
func bouncer(t *testing.T, dsn string) string {
	t.Helper()
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		testenv.Missing(t, "pgbouncer is not on PATH: apt-get install pgbouncer")
	}
	target, err := url.Parse(dsn)
	require.NoError(t, err)
	ports, err := localstack.FreePorts(1)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "pgbouncer") // t.TempDir is closed to the user that PgBouncer runs as
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	config := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
`, target.Hostname(), target.Port(), target.User.Username(), ports[0]), 0o644))
	args := []string{binary, config}
	if os.Geteuid() == 0 {
		args = []string{binary, "-u", "postgres", config}
	}
	process, err := localstack.StartProcess(localstack.Spec{
		Name: "PgBouncer", Args: args, LogFile: filepath.Join(dir, "log"), DeathSignal: syscall.SIGKILL,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = process.Stop(5 * time.Second) })
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 20*time.Millisecond, "%s", localstack.Tail(filepath.Join(dir, "log"), 20))
	return address
}

func TestConformanceThroughPgBouncer(t *testing.T) {
	address := bouncer(t, testenv.Postgres(t))
	storetest.Run(t, false, func(t *testing.T) store.Store {
		through, err := url.Parse(database(t))
		require.NoError(t, err)
		through.Host = address
		s := settings(through.String())
		s.Listen = false
		return openStore(t, s)
	})
}
