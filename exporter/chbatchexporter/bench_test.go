package chbatchexporter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

// cpu is the time that this process has used, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Traffic with the variety of a web shop.
var (
	benchPaths  = []string{"/", "/products", "/cart", "/checkout", "/api/v1/items", "/static/app.js", "/static/style.css", "/img/logo.svg"}
	benchAgents = func() (out []string) {
		for i := range 40 {
			out = append(out, fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 90+i))
		}
		return out
	}()
)

// benchLogs are n access records with the 16 to 18 attributes that the receiver makes, of one agent.
func benchLogs(r *rand.Rand, agent, n int) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(nginxsemconv.AgentID, fmt.Sprintf("web-%02d-10-0-0-%d", agent, agent))
	rl.Resource().Attributes().PutStr("service.name", "nginx")
	rl.Resource().Attributes().PutStr("host.name", fmt.Sprintf("web-%02d", agent))
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(nginxsemconv.ScopeName)
	start := time.Now()
	for i := range n {
		benchRecord(r, sl.LogRecords().AppendEmpty(), start.Add(time.Duration(i)*time.Millisecond))
	}
	return ld
}

func benchRecord(r *rand.Rand, rec plog.LogRecord, at time.Time) {
	rec.SetEventName(nginxsemconv.EventAccess)
	rec.SetTimestamp(pcommon.NewTimestampFromTime(at))
	var trace [16]byte
	for i := range trace {
		trace[i] = byte(r.Uint32())
	}
	rec.SetTraceID(trace)
	rec.SetSpanID([8]byte(trace[:8]))
	ip := fmt.Sprintf("203.0.%d.%d", r.IntN(256), r.IntN(256))
	rec.Body().SetStr(ip + ` - - [23/Nov/2026:12:34:56 +0000] "GET /products HTTP/1.1" 200 1234 "-" "Mozilla/5.0"`)
	a := rec.Attributes()
	a.PutStr("http.request.method", []string{"GET", "GET", "GET", "POST"}[r.IntN(4)])
	a.PutStr("url.path", benchPaths[r.IntN(len(benchPaths))])
	a.PutStr("url.query", "id="+strconv.Itoa(r.IntN(100_000)))
	a.PutInt("http.response.status_code", []int64{200, 200, 200, 304, 404, 500}[r.IntN(6)])
	a.PutInt("http.response.body.size", int64(r.IntN(100_000)))
	a.PutDouble(nginxsemconv.RequestTime, r.Float64())
	a.PutStr("network.peer.address", ip)
	a.PutStr("client.address", ip)
	a.PutStr("user_agent.original", benchAgents[r.IntN(len(benchAgents))])
	a.PutStr(nginxsemconv.RequestHeaderReferer, "https://shop.example.com/")
	a.PutStr(nginxsemconv.RequestID, fmt.Sprintf("%x", trace))
	a.PutStr("server.address", "shop.example.com")
	a.PutStr("url.scheme", "https")
	a.PutStr("network.protocol.version", "1.1")
	a.PutEmptySlice(nginxsemconv.UpstreamAddress).AppendEmpty().SetStr("10.1.0." + strconv.Itoa(r.IntN(8)) + ":8080")
	a.PutEmptySlice(nginxsemconv.UpstreamStatus).AppendEmpty().SetInt(200)
	a.PutEmptySlice(nginxsemconv.UpstreamResponseTime).AppendEmpty().SetDouble(r.Float64())
}

// BenchmarkAccessRecords is from pdata in memory until the rows are stored in access_logs, in rows per second of this
// process's CPU time.
func BenchmarkAccessRecords(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint("call_", size), func(b *testing.B) { benchmarkLogs(b, "access_logs", size, nginxsemconv.EventAccess) })
	}
}

// BenchmarkOTelRecords is the same for records that are not NGINX's, in otel_logs.
func BenchmarkOTelRecords(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint("call_", size), func(b *testing.B) { benchmarkLogs(b, "otel_logs", size, "") })
	}
}

func benchmarkLogs(b *testing.B, table string, size int, event string) {
	cfg := testConfig(b)
	cfg.Logs.MaxRows, cfg.Logs.QueueRows, cfg.FlushInterval, cfg.InsertInterval = 50_000, 500_000, 100*time.Millisecond, time.Second
	e := startLogs(b, cfg, settings(), nopHost())
	r := rand.New(rand.NewPCG(1, 2))
	batches := make([]plog.Logs, max(8, 50_000/size))
	for i := range batches {
		batches[i] = benchLogs(r, i%100, size)
		for _, rec := range batches[i].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			rec.SetEventName(event)
		}
	}
	eventually(b, "0", "SELECT count() FROM "+cfg.Database+"."+table)
	before, rows := cpu(), 0
	server := serverCPU(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		require.NoError(b, e.ConsumeLogs(context.Background(), batches[i%len(batches)]))
		rows += size
	}
	for mustQuery(b, "SELECT sum(rows) FROM system.parts WHERE active AND database = '"+cfg.Database+"' AND table = '"+table+"'") != strconv.Itoa(rows) {
		time.Sleep(50 * time.Millisecond)
	}
	used := cpu() - before
	b.ReportMetric(float64(rows)/used.Seconds(), "rows/cpu-s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(rows), "ns-cpu/row")
	b.ReportMetric((serverCPU(b)-server)*1000/float64(rows), "server-ns/row")
	b.ReportMetric(0, "ns/op")
}

// serverCPU is the CPU time in µs that the server has used for queries and merges so far.
func serverCPU(b *testing.B) float64 {
	out := mustQuery(b, "SELECT sum(value) FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'")
	f, err := strconv.ParseFloat(out, 64)
	require.NoError(b, err)
	return f
}
