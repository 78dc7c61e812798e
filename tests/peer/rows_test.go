//go:build compare

package peer

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc/mem"
)

// rawCodec sends requests that are encoded already.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("cannot send %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot receive %T", v)
	}
	*b = data.Materialize()
	return nil
}

// encodeRequests makes n OTLP requests of logs with 18 attributes, as an NGINX that is read by a collector gives them.
func encodeRequests(n, rows int, event string) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		b, err := plogotlp.NewExportRequestFromLogs(batch(r, i%100, rows, event)).MarshalProto()
		if err != nil {
			panic(err)
		}
		out[i] = b
	}
	return out
}

func batch(r *rand.Rand, agent, rows int, event string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	res := rl.Resource().Attributes()
	res.PutStr("service.name", "nginx")
	res.PutStr("avika.agent.id", fmt.Sprintf("web-%02d-10-0-0-%d", agent, agent))
	res.PutStr("host.name", fmt.Sprintf("web-%02d", agent))
	recs := rl.ScopeLogs().AppendEmpty().LogRecords()
	start := time.Now()
	for i := range rows {
		record(r, recs.AppendEmpty(), start.Add(time.Duration(i)*time.Millisecond), event)
	}
	return ld
}

func record(r *rand.Rand, rec plog.LogRecord, at time.Time, event string) {
	rec.SetTimestamp(pcommon.NewTimestampFromTime(at))
	rec.SetEventName(event)
	rec.SetSeverityNumber(plog.SeverityNumberInfo)
	rec.SetSeverityText("INFO")
	var trace [16]byte
	for i := range trace {
		trace[i] = byte(r.Uint32())
	}
	rec.SetTraceID(trace)
	rec.SetSpanID([8]byte(trace[:8]))
	ip := fmt.Sprintf("203.0.%d.%d", r.IntN(256), r.IntN(256))
	agent := fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 90+r.IntN(40))
	path, query := paths[r.IntN(len(paths))], fmt.Sprintf("id=%d", r.IntN(100_000))
	status, size := statuses[r.IntN(len(statuses))], r.IntN(100_000)
	rec.Body().SetStr(fmt.Sprintf(`%s - - [%s] "GET %s?%s HTTP/1.1" %d %d "https://shop.example.com/" "%s"`,
		ip, at.Format("02/Jan/2006:15:04:05 -0700"), path, query, status, size, agent))
	a := rec.Attributes()
	a.PutStr("http.request.method", "GET")
	a.PutStr("url.path", path)
	a.PutStr("url.query", query)
	a.PutStr("url.scheme", "https")
	a.PutInt("http.response.status_code", status)
	a.PutInt("http.response.body.size", int64(size))
	a.PutInt("http.response.size", int64(size+300))
	a.PutDouble("nginx.request.time", float64(r.IntN(1000))/1000)
	a.PutStr("nginx.request.id", fmt.Sprintf("%x", trace))
	a.PutStr("network.peer.address", ip)
	a.PutStr("client.address", ip)
	a.PutStr("user_agent.original", agent)
	a.PutStr("http.request.header.referer", "https://shop.example.com/")
	a.PutStr("server.address", "shop.example.com")
	a.PutStr("network.protocol.version", "1.1")
	a.PutEmptySlice("nginx.upstream.address").AppendEmpty().SetStr(fmt.Sprintf("10.1.0.%d:8080", r.IntN(8)))
	a.PutEmptySlice("nginx.upstream.status").AppendEmpty().SetInt(status)
	a.PutEmptySlice("nginx.upstream.response.time").AppendEmpty().SetDouble(float64(r.IntN(1000)) / 1000)
}

var (
	paths    = []string{"/", "/products", "/cart", "/checkout", "/api/v1/items", "/static/app.js", "/static/style.css", "/img/logo.svg"}
	statuses = []int64{200, 200, 200, 304, 404, 500}
)
