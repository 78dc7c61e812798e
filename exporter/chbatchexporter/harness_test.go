package chbatchexporter

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadata"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// waitFor is how long tests wait for what happens in the background.
const (
	waitFor = 20 * time.Second
	tick    = 10 * time.Millisecond
)

// database is a name of the test's own. It is dropped at the end.
func database(t testing.TB) string {
	t.Helper()
	name := "t_" + strings.ToLower(strings.NewReplacer("/", "_", "-", "_", " ", "_", ",", "").Replace(t.Name()))
	sql(t, "DROP DATABASE IF EXISTS "+name)
	t.Cleanup(func() { sql(t, "DROP DATABASE IF EXISTS "+name) })
	return name
}

func testConfig(t testing.TB) *Config {
	t.Helper()
	cfg, ok := createDefaultConfig().(*Config)
	require.True(t, ok)
	cfg.Endpoints = []string{testenv.ClickHouse(t)}
	cfg.Database = database(t)
	cfg.Schema.TTL = map[string]time.Duration{} // testTime does not change, and its rows must not expire
	for _, table := range rows.Tables() {
		cfg.Schema.TTL[table] = 0
	}
	cfg.FlushInterval, cfg.InsertInterval = 20*time.Millisecond, 0
	cfg.Retry.InitialInterval, cfg.Retry.MaxInterval = 20*time.Millisecond, 200*time.Millisecond
	return cfg
}

func connect(t testing.TB) *chconn.Conn {
	t.Helper()
	c, err := chconn.Dial(context.Background(), chconn.Options{Addr: testenv.ClickHouse(t), User: "default", DialTimeout: 10 * time.Second})
	require.NoError(t, err)
	return c
}

func sql(t testing.TB, statement string) {
	t.Helper()
	c := connect(t)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.Exec(context.Background(), chconn.Statement{SQL: statement}), statement)
}

// query returns the lines of a result with one column, or the error.
func query(t testing.TB, statement string) (string, error) {
	t.Helper()
	c := connect(t)
	defer func() { _ = c.Close() }()
	var col proto.ColStr
	var lines []string
	wrapped := "SELECT toString(*) FROM (" + statement + ")" // one column
	err := c.Query(context.Background(), chconn.Statement{SQL: wrapped}, proto.Results{{Data: &col}}, func(n int) error {
		for i := range n {
			lines = append(lines, col.Row(i))
		}
		return nil
	})
	return strings.Join(lines, "\n"), err
}

func mustQuery(t testing.TB, statement string) string {
	t.Helper()
	out, err := query(t, statement)
	require.NoError(t, err, statement)
	return out
}

// eventually waits until a query answers want.
func eventually(t testing.TB, want, statement string) {
	t.Helper()
	var got string
	deadline := time.Now().Add(waitFor)
	for time.Now().Before(deadline) {
		var err error
		if got, err = query(t, statement); err == nil && got == want {
			return
		}
		if err != nil {
			got = err.Error()
		}
		time.Sleep(tick)
	}
	require.Equal(t, want, got, statement)
}

func settings() exporter.Settings { return exportertest.NewNopSettings(metadata.Type) }

func nopHost() component.Host { return componenttest.NewNopHost() }

// start makes and starts the exporter of a signal, and shuts it down at the end of the test.
func startLogs(t testing.TB, cfg *Config, set exporter.Settings, h component.Host) exporter.Logs {
	t.Helper()
	e, err := NewFactory().CreateLogs(context.Background(), set, cfg)
	require.NoError(t, err)
	startComponent(t, e, h)
	return e
}

func startMetrics(t testing.TB, cfg *Config) exporter.Metrics {
	t.Helper()
	e, err := NewFactory().CreateMetrics(context.Background(), settings(), cfg)
	require.NoError(t, err)
	startComponent(t, e, nopHost())
	return e
}

func startTraces(t testing.TB, cfg *Config) exporter.Traces {
	t.Helper()
	e, err := NewFactory().CreateTraces(context.Background(), settings(), cfg)
	require.NoError(t, err)
	startComponent(t, e, nopHost())
	return e
}

func startComponent(t testing.TB, c component.Component, h component.Host) {
	t.Helper()
	require.NoError(t, c.Start(context.Background(), h))
	t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) })
}

func id(i int) string { return fmt.Sprintf("%032x", i+1) }
