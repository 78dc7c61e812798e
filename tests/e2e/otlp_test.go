package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

const otlpLogs = `{"resourceLogs":[{
  "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]},
  "scopeLogs":[{"scope":{"name":"e2e"},"logRecords":[
    {"timeUnixNano":"%d","severityNumber":13,"severityText":"WARN","body":{"stringValue":"slow payment"},
     "attributes":[{"key":"order","value":{"stringValue":"4711"}}],
     "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708"}]}]}]}`

// TestOTLPLogsLandInOTelLogs: a log record that is not NGINX's is a row of otel_logs, and of nothing else.
func TestOTLPLogsLandInOTelLogs(t *testing.T) {
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	resp, err := http.Post(g.OTLPHTTPURL("/v1/logs"), "application/json", strings.NewReader(fmt.Sprintf(otlpLogs, time.Now().UnixNano())))
	require.NoError(t, err)
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	require.Eventually(t, func() bool { return countRows(ch, "otel_logs") == 1 }, harness.WaitFor, harness.Tick)
	const row = `SELECT concat(ServiceName, '|', SeverityText, '|', Body, '|', LogAttributes['order'], '|', TraceId)
		FROM nginx_analytics.otel_logs`
	assert.Equal(t, "checkout|WARN|slow payment|4711|0102030405060708090a0b0c0d0e0f10", ch.String(t, row))
	assert.Zero(t, countRows(ch, "access_logs"))
}

// TestGatewayNeedsNoClickHouseToStart: it is ready without, and what arrived meanwhile is stored when ClickHouse is there.
func TestGatewayNeedsNoClickHouseToStart(t *testing.T) {
	ch := harness.StartClickHouse(t)
	require.NoError(t, ch.Shutdown())
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "2", "--rate", "200", "--total", "500")
	require.NoError(t, ch.Restart(t.Context()))
	require.Eventually(t, func() bool { return countRows(ch, "access_logs") >= 500 }, harness.WaitFor, harness.Tick)
	assert.EqualValues(t, 500, ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs"))
	assert.EqualValues(t, 500, countRows(ch, "access_logs"))
}

// TestOwnMetricsAndHealth: what operators look at answers.
func TestOwnMetricsAndHealth(t *testing.T) {
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: ch.Addr()})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "2", "--rate", "100", "--total", "100")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.InDelta(c, 100, g.Metrics(t).Sum("otelcol_receiver_accepted_log_records_total", map[string]string{"receiver": "avika"}), 0.1)
	}, harness.WaitFor, harness.Tick)
	for _, url := range []string{g.HealthURL(), g.URL("/health"), g.URL("/ready")} {
		resp, err := http.Get(url)
		require.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, http.StatusOK, resp.StatusCode, url)
	}
}
