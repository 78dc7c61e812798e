package chbatchexporter

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"
)

// TestAMissingGrantIsLogged once, however often the insert is tried.
func TestAMissingGrantIsLogged(t *testing.T) {
	c := rightsCase{name: "no_insert", grants: []string{"SELECT ON no_insert.*"}}
	serverWith(t, []rightsCase{c})
	cfg := identifying(t)
	cfg.Database = c.name
	c.makeTables(t, cfg)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := zapobserver.New(zap.WarnLevel)
	set := settings()
	set.TelemetrySettings, set.Logger = tel.NewTelemetrySettings(), zap.New(core)
	cfg.Username, cfg.Schema.CreateSchema, cfg.Queue.WaitForResult = c.name, false, false
	cfg.DrainTimeout = tick
	e := startLogs(t, cfg, set, nopHost())
	require.NoError(t, e.ConsumeLogs(context.Background(), accessLogs(0, 1)))
	require.Eventually(t, func() bool {
		m, err := tel.GetMetric("otelcol_exporter_ch_batch_insert_failures")
		return err == nil && sumOf(m) >= 5
	}, waitFor, tick)
	lines := logs.FilterMessageSnippet("An insert failed").All()
	require.Len(t, lines, 1)
	fields := lines[0].ContextMap()
	require.Equal(t, "access_logs", fields["table"])
	require.Equal(t, "497", fields["code"])
	require.Regexp(t, `the grant INSERT\(.*\) ON no_insert.access_logs`, fmt.Sprint(fields["error"]))
}

func TestComplaintsAreFew(t *testing.T) {
	var c complaints
	now := time.Now()
	grant := complaint{"access_logs", "497"}
	require.True(t, c.due(grant, now))
	require.False(t, c.due(grant, now.Add(complainEvery-1)))
	require.True(t, c.due(complaint{"access_logs", "network"}, now), "another reason")
	require.True(t, c.due(complaint{"error_logs", "497"}, now), "another table")
	require.True(t, c.due(grant, now.Add(complainEvery)))
}
