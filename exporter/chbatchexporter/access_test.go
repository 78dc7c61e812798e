package chbatchexporter

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

var testTime = time.Date(2026, 11, 23, 12, 34, 56, 789_000_000, time.UTC)

// accessLogs makes n access records as the avika receiver does, with unique request ids from first on.
func accessLogs(first, n int) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	res := rl.Resource().Attributes()
	res.PutStr(nginxsemconv.AgentID, "web-01-10-0-2-15")
	res.PutStr("service.name", "nginx")
	res.PutStr("service.namespace", "shop")
	res.PutStr("avika.label.team", "edge")
	res.PutStr("host.name", "web-01")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(nginxsemconv.ScopeName)
	for i := range n {
		accessRecord(sl.LogRecords().AppendEmpty(), first+i)
	}
	return ld
}

func accessRecord(rec plog.LogRecord, i int) {
	rec.SetEventName(nginxsemconv.EventAccess)
	rec.SetTimestamp(pcommon.NewTimestampFromTime(testTime.Add(time.Duration(i) * time.Millisecond)))
	rec.Body().SetStr("the line")
	a := rec.Attributes()
	a.PutStr("http.request.method", "GET")
	a.PutStr("url.path", "/products/1")
	a.PutStr("url.query", "a=b")
	a.PutInt("http.response.status_code", 200)
	a.PutInt("http.response.body.size", 1234)
	a.PutDouble(nginxsemconv.RequestTime, 0.25)
	a.PutStr(nginxsemconv.RequestID, id(i))
	a.PutStr("network.peer.address", "10.0.0.1")
	a.PutStr("client.address", "203.0.113.7")
	a.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36")
	a.PutStr(nginxsemconv.RequestHeaderReferer, "https://example.com/")
	a.PutStr("server.address", "shop.example.com")
	a.PutStr("url.scheme", "https")
	a.PutStr("network.protocol.version", "1.1")
	up := a.PutEmptySlice(nginxsemconv.UpstreamAddress)
	up.AppendEmpty().SetStr("10.1.0.1:80")
	up.AppendEmpty().SetStr("10.1.0.2:80")
	st := a.PutEmptySlice(nginxsemconv.UpstreamStatus)
	st.AppendEmpty().SetInt(0)
	st.AppendEmpty().SetInt(200)
	rt := a.PutEmptySlice(nginxsemconv.UpstreamResponseTime)
	rt.AppendEmpty().SetDouble(-1)
	rt.AppendEmpty().SetDouble(0.125)
	rec.SetTraceID([16]byte{1, 2, 3})
	rec.SetSpanID([8]byte{4, 5})
}

func TestAccessRecordsBecomeTypedRows(t *testing.T) {
	cfg := testConfig(t)
	e := startLogs(t, cfg, settings(), nopHost())
	require.NoError(t, e.ConsumeLogs(context.Background(), accessLogs(0, 3)))
	eventually(t, "3", "SELECT count() FROM "+cfg.Database+".access_logs")
	require.Equal(t, "2026-11-23 12:34:56.789|web-01-10-0-2-15|10.0.0.1|GET|/products/1?a=b|200|1234|0.25|"+id(0)+
		"|10.1.0.1:80, 10.1.0.2:80|-, 200|0|0|0.125|https://example.com/|{'project':'shop','team':'edge'}|203.0.113.7|0|"+
		"01020300000000000000000000000000|0405000000000000|shop.example.com|https|HTTP/1.1|||",
		mustQuery(t, `SELECT concatWithSeparator('|', toString(toTimeZone(timestamp, 'UTC')), instance_id, remote_addr, request_method, request_uri,
			toString(status), toString(body_bytes_sent), toString(request_time), request_id, upstream_addr, upstream_status,
			toString(upstream_connect_time), toString(upstream_header_time), toString(upstream_response_time), referer,
			toString(labels), client_ip, toString(is_bot), trace_id, span_id, host, scheme, protocol, cache_status, x_forwarded_for, raw) AS x FROM `+
			cfg.Database+`.access_logs WHERE request_id = '`+id(0)+`'`))
}

func TestClientsAreEnriched(t *testing.T) {
	cfg := testConfig(t)
	e := startLogs(t, cfg, settings(), nopHost())
	ld := accessLogs(0, 2)
	a := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1).Attributes()
	a.PutStr("user_agent.name", "from the record")
	a.PutStr("geo.country_iso_code", "DE")
	a.PutStr("geo.city_name", "Berlin")
	a.PutDouble("geo.location.lat", 52.5)
	require.NoError(t, e.ConsumeLogs(context.Background(), ld))
	eventually(t, "2", "SELECT count() FROM "+cfg.Database+".access_logs")
	require.Equal(t, "Chrome|126.0|Linux|Desktop|0|||0\nfrom the record||||0|DE|Berlin|52.5", mustQuery(t, `SELECT concatWithSeparator('|', browser_family, browser_version, os_family,
		device_type, toString(is_bot), country_code, city, toString(latitude)) AS x FROM `+cfg.Database+`.access_logs ORDER BY timestamp`))
	eventually(t, "1", "SELECT sum(request_count) FROM "+cfg.Database+".geo_requests_hourly WHERE country_code = 'DE' AND city = 'Berlin'")
}

func TestTheGatewayReportsItself(t *testing.T) {
	cfg := testConfig(t)
	cfg.GatewayMetrics = GatewayMetricsConfig{Interval: 50 * time.Millisecond, GatewayID: "gw-1"}
	startMetrics(t, cfg)
	eventually(t, "1", "SELECT count() > 3 AND min(memory_mb) > 1 AND min(goroutines) > 1 AND any(gateway_id) = 'gw-1' AS x FROM "+cfg.Database+".gateway_metrics")
}

// TestRowsOfAllTimesAreKept: a sender whose clock is anywhere must not make an insert that ClickHouse refuses, for it
// has too many partitions.
func TestRowsOfAllTimesAreKept(t *testing.T) {
	cfg := testConfig(t)
	cfg.Schema.TTL = map[string]time.Duration{"access_logs": 0}
	e := startLogs(t, cfg, settings(), nopHost())
	ld := accessLogs(0, 600)
	now := time.Now()
	for i, rec := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		at := now
		if i%2 == 1 {
			at = now.Add(-time.Duration(i) * 24 * time.Hour)
		}
		rec.SetTimestamp(pcommon.NewTimestampFromTime(at))
	}
	require.NoError(t, e.ConsumeLogs(context.Background(), ld))
	eventually(t, "600", "SELECT count() FROM "+cfg.Database+".access_logs")
	eventually(t, "301", "SELECT uniqExact(toDate(timestamp)) FROM "+cfg.Database+".access_logs")
}

func TestAsynchronousInserts(t *testing.T) {
	cfg := testConfig(t)
	cfg.AsyncInsert, cfg.Queue.WaitForResult = true, true
	e := startLogs(t, cfg, settings(), nopHost())
	for i := range 3 {
		require.NoError(t, e.ConsumeLogs(context.Background(), accessLogs(i*10, 10)))
		require.Equal(t, strconv.Itoa(i*10+10), mustQuery(t, "SELECT count() FROM "+cfg.Database+".access_logs"), "stored when it is acknowledged")
	}
}
