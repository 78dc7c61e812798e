package chbatchexporter

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRecordsBeforeTheStartWaitForIt: a receiver that signals share listens when the exporter of one of them has started.
func TestRecordsBeforeTheStartWaitForIt(t *testing.T) {
	cfg := testConfig(t)
	e, err := NewFactory().CreateLogs(context.Background(), settings(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.ConsumeLogs(ctx, accessLogs(0, 1)), context.DeadlineExceeded)
	early := make(chan error)
	go func() { early <- e.ConsumeLogs(context.Background(), accessLogs(1, 10)) }()
	startComponent(t, e, nopHost())
	require.NoError(t, <-early)
	eventually(t, "10", countAccess(cfg))
}

func TestRecordsWithoutAStartAreRefused(t *testing.T) {
	e, err := NewFactory().CreateLogs(context.Background(), settings(), createDefaultConfig())
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
	require.ErrorIs(t, e.ConsumeLogs(t.Context(), accessLogs(0, 1)), errNotStarted)
}
