package otlpload

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// Holes are what a template has in the place of values that differ from row to row. They occur nowhere else in it.
const (
	timeHole = 0x1122334455667788
	idHole   = "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~"
)

var traceHole = pcommon.TraceID(bytes.Repeat([]byte{0xfd}, 16))

// template is an encoded OTLP request of logs, and where its holes are; row i has the i-th of each.
type template struct {
	encoded            []byte
	times, ids, traces []int
}

// newTemplate encodes rows records with the 18 attributes that an NGINX read by a collector has.
func newTemplate(r *rand.Rand, agent, rows int, event string) (*template, error) {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	res := rl.Resource().Attributes()
	res.PutStr("service.name", "nginx")
	res.PutStr("avika.agent.id", fmt.Sprintf("web-%03d-10-0-0-%d", agent, agent))
	res.PutStr("host.name", fmt.Sprintf("web-%03d", agent))
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(rows)
	for range rows {
		fillRecord(r, records.AppendEmpty(), event)
	}
	encoded, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	t := &template{encoded: encoded}
	t.times = positions(encoded, binary.LittleEndian.AppendUint64(nil, timeHole))
	t.ids, t.traces = positions(encoded, []byte(idHole)), positions(encoded, traceHole[:])
	if len(t.times) != rows || len(t.ids) != rows || len(t.traces) != rows {
		return nil, fmt.Errorf("a request of %d rows has %d, %d and %d holes", rows, len(t.times), len(t.ids), len(t.traces))
	}
	return t, nil
}

func positions(in, of []byte) (at []int) {
	for from := 0; ; {
		i := bytes.Index(in[from:], of)
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(of)
	}
}

// fill writes the request with rows first, first+1, … of a writer into dst, which it returns, perhaps grown. at says
// when a row came into being, in nanoseconds.
func (t *template) fill(dst []byte, run, writer uint32, first uint64, at func(row int) uint64) []byte {
	dst = append(dst[:0], t.encoded...)
	var id [16]byte
	binary.BigEndian.PutUint32(id[:4], run)
	binary.BigEndian.PutUint32(id[4:8], writer)
	for i := range t.ids {
		binary.BigEndian.PutUint64(id[8:], first+uint64(i))
		hex.Encode(dst[t.ids[i]:], id[:])
		copy(dst[t.traces[i]:], id[:])
		binary.LittleEndian.PutUint64(dst[t.times[i]:], at(i))
	}
	return dst
}

var (
	paths    = []string{"/", "/products", "/cart", "/checkout", "/api/v1/items", "/static/app.js", "/static/style.css", "/img/logo.svg"}
	statuses = []int64{200, 200, 200, 200, 200, 200, 304, 302, 404, 500}
)

func fillRecord(r *rand.Rand, rec plog.LogRecord, event string) {
	ip := fmt.Sprintf("203.0.%d.%d", r.IntN(256), r.IntN(256))
	browser := fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 90+r.IntN(40))
	path, query := paths[r.IntN(len(paths))], fmt.Sprintf("id=%d", r.IntN(100_000))
	status, size := statuses[r.IntN(len(statuses))], int64(r.IntN(100_000))
	rec.SetTimestamp(timeHole)
	rec.SetTraceID(traceHole)
	rec.SetEventName(event)
	rec.SetSeverityNumber(plog.SeverityNumberInfo)
	rec.SetSeverityText("INFO")
	rec.Body().SetStr(strings.Join([]string{
		ip, "- -", time.Now().Format("[02/Jan/2006:15:04:05 -0700]"),
		fmt.Sprintf(`"GET %s?%s HTTP/1.1" %d %d "https://shop.example.com/" %q`, path, query, status, size, browser),
	}, " "))
	a := rec.Attributes()
	a.PutStr("http.request.method", "GET")
	a.PutStr("url.path", path)
	a.PutStr("url.query", query)
	a.PutStr("url.scheme", "https")
	a.PutInt("http.response.status_code", status)
	a.PutInt("http.response.body.size", size)
	a.PutInt("http.response.size", size+300)
	a.PutDouble("nginx.request.time", float64(r.IntN(1000))/1000)
	a.PutStr("nginx.request.id", idHole)
	a.PutStr("network.peer.address", ip)
	a.PutStr("client.address", ip)
	a.PutStr("user_agent.original", browser)
	a.PutStr("http.request.header.referer", "https://shop.example.com/")
	a.PutStr("server.address", "shop.example.com")
	a.PutStr("network.protocol.version", "1.1")
	a.PutEmptySlice("nginx.upstream.address").AppendEmpty().SetStr(fmt.Sprintf("10.1.0.%d:8080", r.IntN(8)))
	a.PutEmptySlice("nginx.upstream.status").AppendEmpty().SetInt(status)
	a.PutEmptySlice("nginx.upstream.response.time").AppendEmpty().SetDouble(float64(r.IntN(1000)) / 1000)
}
