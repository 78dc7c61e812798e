package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/bench/internal/scenario"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestMain lets the test binary be the load that scenarios start as a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == load.OTLPCommand {
		os.Exit(exitCode(load.RunOTLPCommand(context.Background(), os.Args[2:])))
	}
	os.Exit(m.Run())
}

// run measures a scenario on the built gateway and real servers.
func run(t *testing.T, s scenario.Scenario) report.Result {
	t.Helper()
	needServers(t)
	s.Name, s.Duration = t.Name(), 2*time.Second
	tables := t.TempDir()
	result, err := scenario.Run(t.Context(), s, scenario.Options{
		Root: harness.Root(t), Dir: t.TempDir(), Tables: tables, Progress: io.Discard, Settle: time.Millisecond,
	})
	require.NoError(t, err)
	left, err := os.ReadDir(tables)
	require.NoError(t, err)
	assert.Empty(t, left, "ClickHouse's folder on the disk that was given")
	result.WriteText(testWriter{t})
	return result
}

func needServers(t *testing.T) {
	t.Helper()
	for _, err := range []error{localstack.HaveClickHouse(), localstack.HavePostgres()} {
		if err != nil {
			testenv.Missing(t, err.Error())
		}
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { w.t.Log(string(b)); return len(b), nil }

// TestLostAndDoubledRowsAreFound: what is counted is what is in the table, row by row.
func TestLostAndDoubledRowsAreFound(t *testing.T) {
	t.Parallel()
	s := scenario.New()
	s.Agents, s.Rate, s.Samples = 4, 250, false
	s.BeforeCount = func(servers *stack.Stack) error {
		conn, ctx := servers.ClickHouse.Conn, t.Context()
		table := servers.Database + ".access_logs"
		var victim string
		if err := conn.QueryRow(ctx, "SELECT request_id FROM "+table+" WHERE request_id LIKE '%0000000000000007' LIMIT 1").Scan(&victim); err != nil {
			return err
		}
		if err := conn.Exec(ctx, "DELETE FROM "+table+" WHERE request_id = ? SETTINGS lightweight_deletes_sync = 2", victim); err != nil {
			return err
		}
		return conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s ORDER BY request_id LIMIT 3", table, table))
	}
	r := run(t, s)
	assert.EqualValues(t, 2000, r.Rows.Sent)
	assert.Zero(t, r.Samples, "samples that were not asked for")
	assert.EqualValues(t, 1, r.Rows.Lost, "the deleted row")
	assert.EqualValues(t, 1, r.Rows.Holes)
	assert.EqualValues(t, 3, r.Rows.Doubled, "the inserted rows")
	require.ErrorIs(t, verdict(r), errRows)
	require.NotNil(t, r.Spans)
	assert.EqualValues(t, 2000, r.Spans.Servers)
	assert.Equal(t, r.Spans.Stored, r.Spans.Unique)
}

// TestOTLPScenario: acknowledged rows are there once, and everything is measured.
func TestOTLPScenario(t *testing.T) {
	t.Parallel()
	s := scenario.New()
	s.Path, s.Agents, s.Rate, s.Rows, s.Replicas = scenario.OTLP, 2, 2000, 100, 2
	r := run(t, s)
	require.NoError(t, verdict(r))
	assert.Positive(t, r.Machine.FileUS)
	assert.EqualValues(t, 4000, r.Rows.Sent)
	assert.EqualValues(t, 4000, r.Rows.Stored)
	assert.Empty(t, r.Errors)
	require.NotNil(t, r.Ages)
	assert.EqualValues(t, 4000, r.Ages.Rows)
	assert.Positive(t, r.Ages.P50)
	assert.Less(t, r.Ages.Max, 60.0)
	assert.Positive(t, r.Inserts.Count)
	require.Len(t, r.Processes, 6, "two gateways, ClickHouse, PostgreSQL, the load, and the bench itself")
	for _, p := range r.Processes {
		assert.Positive(t, p.PeakRSS, p.Name)
	}
}

func TestRunOptions(t *testing.T) {
	o, err := parseRun([]string{"burst", "--agents", "7", "--env", "GOGC=50", "--env", "GOMEMLIMIT=1GiB", "--tables", "/data"})
	require.NoError(t, err)
	assert.Equal(t, 7, o.Agents)
	assert.EqualValues(t, 2_000_000, o.Total)
	assert.EqualValues(t, scenario.Unlimited, o.Rate)
	assert.Equal(t, []string{"GOGC=50", "GOMEMLIMIT=1GiB"}, o.Env)
	assert.Equal(t, "/data", o.tables)
	assert.True(t, o.Samples)
	for _, wrong := range [][]string{
		{"nothing"},
		{"--rate", "much"},
		{"--path", "west"},
		{"--subject", "contrib"},
		{"--agents", "1", "--replicas", "2"},
		{"--records", "none"},
		{"--duration", "0s"},
		{"enterprise", "extra"},
	} {
		_, err := parseRun(wrong)
		assert.ErrorAs(t, err, new(usageError), "%v", wrong)
	}
}

func TestSuitesAreScenarios(t *testing.T) {
	for name, lines := range suites {
		seen := map[string]bool{}
		for _, line := range lines {
			o, err := parseRun(words(line))
			require.NoError(t, err, "%s: %s", name, line)
			assert.False(t, seen[o.Name], "%s: two results would be called %s", name, o.Name)
			seen[o.Name] = true
		}
	}
}
