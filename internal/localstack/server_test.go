package localstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRevive: a server that aborts by itself is started again, one that aborts because it is being ended is not.
func TestRevive(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s := &server{
		spec: Spec{
			Name: "clumsy", LogFile: log,
			Args: []string{"sh", "-c", "ulimit -c 0; trap 'kill -ABRT $$' TERM; echo ready; while :; do sleep 0.01; done"},
		},
		grace: time.Minute,
		ready: func(context.Context) error { // it minds signals
			if Tail(log, 1) != "ready" {
				return errors.New("it has not said so")
			}
			return os.Truncate(log, 0)
		},
	}
	require.NoError(t, s.start(t.Context()))
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	requireRevived := func(want bool) {
		t.Helper()
		revived, err := s.Revive(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, revived)
	}
	requireRevived(false)
	require.NoError(t, s.Signal(syscall.SIGABRT))
	<-s.Done()
	requireRevived(true)
	require.NoError(t, s.Err(), "it runs")
	require.NoError(t, s.Shutdown())
	require.True(t, s.current().aborted())
	requireRevived(false)
}
