package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

const requestCount = 400

// TestNGINXRequestsReachAccessLogs: every request to a real NGINX appears once, with what NGINX knew of it.
func TestNGINXRequestsReachAccessLogs(t *testing.T) {
	for _, tc := range []struct{ name, config, format string }{
		{"built-in configuration, JSON log", "embedded:quickstart", harness.FormatJSON},
		{"shipped file, combined log", harness.ConfigFile(t, "quickstart"), harness.FormatCombined},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ch := harness.StartClickHouse(t)
			n := harness.StartNGINX(t, tc.format)
			g := harness.StartGateway(t, harness.GatewayOptions{Config: tc.config, ClickHouse: ch.Addr()})
			harness.TailNGINX(t, g.AgentAddr(), n)
			requireFlow(t, ch, n, tc.format)
			requireOnline(t, g)
		})
	}
}

// TestProductionConfiguration is gateway.yaml: the queue on disk and the registry in PostgreSQL.
func TestProductionConfiguration(t *testing.T) {
	ch := harness.StartClickHouse(t)
	pg := harness.StartPostgres(t)
	n := harness.StartNGINX(t, harness.FormatJSON)
	opts := harness.GatewayOptions{Config: harness.ConfigFile(t, "gateway"), ClickHouse: ch.Addr(), Postgres: pg.DSN()}
	g := harness.StartGateway(t, opts)
	agent := harness.TailNGINX(t, g.AgentAddr(), n)
	requireFlow(t, ch, n, harness.FormatJSON)
	requireOnline(t, g)
	opts.ID = "gateway-2"
	requireOnline(t, harness.StartGateway(t, opts)) // another replica knows who holds the agent
	agent.Stop()
	requireStatus(t, g, "offline")
	g.Restart()
	requireStatus(t, g, "offline")
}

// requireFlow sends requests and checks their rows.
func requireFlow(t *testing.T, ch *harness.ClickHouse, n *harness.NGINX, format string) {
	t.Helper()
	began := time.Now().Truncate(time.Second)
	sent := sendRequests(t, n, requestCount)
	rows := waitRows(t, ch, len(sent))
	ids := map[string]bool{}
	for _, want := range sent {
		if format != harness.FormatJSON {
			want.uri = strings.ReplaceAll(want.uri, `"`, `\x22`) // NGINX's own escape outside JSON
		}
		got, found := rows[want.uri]
		require.True(t, found, "no row of %s %s", want.method, want.uri)
		requireRow(t, want, got)
		assert.WithinRange(t, got.Timestamp, began, time.Now().Add(time.Second))
		if format == harness.FormatJSON {
			requireJSONRow(t, want, got, n.App)
		}
		ids[got.RequestID] = true
	}
	if format == harness.FormatJSON {
		assert.Len(t, ids, len(sent), "request ids are unique")
	}
}

// requireRow checks what both log formats hold.
func requireRow(t *testing.T, want request, got row) {
	t.Helper()
	require.Equal(t, want.method, got.Method, want.uri)
	require.EqualValues(t, want.status, got.Status, want.uri)
	require.EqualValues(t, want.size, got.BodyBytesSent, want.uri)
	require.Equal(t, want.userAgent, got.UserAgent)
	require.Equal(t, "http://example.com/from", got.Referer)
	require.Equal(t, "127.0.0.1", got.RemoteAddr)
	require.NotEmpty(t, got.InstanceID)
}

// requireJSONRow checks what only the JSON format holds.
func requireJSONRow(t *testing.T, want request, got row, app string) {
	t.Helper()
	require.NotEmpty(t, got.RequestID)
	require.Equal(t, want.requestID, got.RequestID, want.uri)
	if !want.app {
		require.Empty(t, got.UpstreamAddr)
		require.Zero(t, got.UpstreamResponseTime)
		return
	}
	delay := harness.AppDelay.Seconds() - 0.002 // NGINX's clock has steps of a millisecond
	require.Equal(t, app, got.UpstreamAddr)
	require.Equal(t, "202", got.UpstreamStatus)
	require.Greater(t, float64(got.RequestTime), delay)
	require.Greater(t, float64(got.UpstreamResponseTime), delay)
	require.Less(t, float64(got.RequestTime), 5.0)
}

// TestRowsArriveOneByOne: a request on an idle system is a row though no other follows; the log says how soon.
func TestRowsArriveOneByOne(t *testing.T) {
	ch := harness.StartClickHouse(t)
	n := harness.StartNGINX(t, harness.FormatJSON)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	harness.TailNGINX(t, g.AgentAddr(), n)
	requireOnline(t, g)
	require.Eventually(t, func() bool { return countRows(ch, "nginx_metrics") > 0 }, harness.WaitFor, harness.Tick)
	var took []time.Duration
	for i := range 5 {
		began := time.Now()
		send(t, n, i)
		require.Eventually(t, func() bool { return countRows(ch, "access_logs") == uint64(i+1) }, harness.WaitFor, 10*time.Millisecond)
		took = append(took, time.Since(began))
	}
	t.Logf("from the request to its row: %v", took)
}

// TestSamplesEverySecond: NGINX's and the host's samples are a row each per second, and their values are true.
func TestSamplesEverySecond(t *testing.T) {
	ch := harness.StartClickHouse(t)
	n := harness.StartNGINX(t, harness.FormatJSON)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	harness.TailNGINX(t, g.AgentAddr(), n)
	sendRequests(t, n, 40)
	const seconds = 8
	require.Eventually(t, func() bool { return countRows(ch, "nginx_metrics") >= seconds }, harness.WaitFor, harness.Tick)
	for _, table := range []string{"nginx_metrics", "system_metrics"} {
		// Half of them, as a machine that stands still for a moment leaves some out.
		apart := "SELECT arrayElement(arraySort(arrayPopFront(arrayDifference(arraySort(groupArray(toUnixTimestamp(timestamp)))))), intDiv(count(), 2)) FROM nginx_analytics." + table
		assert.EqualValues(t, 1, ch.Uint(t, apart), "%s: seconds from row to row", table)
	}
	assert.GreaterOrEqual(t, ch.Uint(t, "SELECT max(total_requests) FROM nginx_analytics.nginx_metrics"), uint64(40))
	assert.NotZero(t, ch.Uint(t, "SELECT max(active_connections) FROM nginx_analytics.nginx_metrics"))
	assert.NotZero(t, ch.Uint(t, "SELECT max(memory_total) FROM nginx_analytics.system_metrics"))
	assert.Zero(t, ch.Uint(t, "SELECT count() FROM nginx_analytics.system_metrics WHERE NOT (memory_usage BETWEEN 0.1 AND 100)"))
	assert.Zero(t, ch.Uint(t, "SELECT count() FROM nginx_analytics.system_metrics WHERE NOT (cpu_usage BETWEEN 0 AND 100)"))
}
