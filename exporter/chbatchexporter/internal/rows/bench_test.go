package rows

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

// BenchmarkAccess is what a record of the receiver costs until it is in columns, and one of OTLP, whose keys are copies.
func BenchmarkAccess(b *testing.B) {
	for name, key := range map[string]func(string) string{"receiver": func(k string) string { return k }, "otlp": strings.Clone} {
		b.Run(name, func(b *testing.B) {
			logs := accessRecords(key, 1000)
			res := NewResource(pcommon.NewMap(), "")
			table := newAccess(Options{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%5000 == 0 {
					table.Reset()
				}
				table.Append(res, logs.At(i%logs.Len()))
			}
		})
	}
}

// BenchmarkSealAccess is what compression costs for each of 5000 rows, as many as a write to the disk has.
func BenchmarkSealAccess(b *testing.B) {
	const rows = 5000
	table := newAccess(Options{})
	records := accessRecords(func(k string) string { return k }, rows)
	res := NewResource(pcommon.NewMap(), "")
	for i := range rows {
		table.Append(res, records.At(i))
	}
	for _, method := range []string{nativeblock.LZ4, nativeblock.ZSTD} {
		b.Run(method, func(b *testing.B) {
			compressor, err := nativeblock.NewCompressor(method)
			if err != nil {
				b.Fatal(err)
			}
			var sealed *nativeblock.Sealed
			for i := 0; i < b.N; i += rows {
				if sealed, err = table.Block().Seal(compressor); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(sealed.Size())/rows, "B/row")
		})
	}
}

func accessRecords(key func(string) string, n int) plog.LogRecordSlice {
	records := plog.NewLogRecordSlice()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		rec := records.AppendEmpty()
		rec.SetTimestamp(pcommon.Timestamp(1767225600e9 + i*1e6))
		rec.SetTraceID(randomID(r))
		id := rec.TraceID()
		rec.SetSpanID([8]byte(id[:8]))
		a := rec.Attributes()
		ip := fmt.Sprintf("203.0.%d.%d", r.IntN(256), r.IntN(256))
		a.PutStr(key("http.request.method"), []string{"GET", "GET", "GET", "POST"}[r.IntN(4)])
		a.PutStr(key("url.path"), "/products/"+fmt.Sprint(r.IntN(100)))
		a.PutStr(key("url.query"), "id="+fmt.Sprint(r.IntN(100_000)))
		a.PutStr(key("url.scheme"), "https")
		a.PutInt(key("http.response.status_code"), []int64{200, 200, 200, 304, 404, 500}[r.IntN(6)])
		a.PutStr(key("network.peer.address"), ip)
		a.PutStr(key("client.address"), ip)
		a.PutStr(key("server.address"), "shop.example.com")
		a.PutStr(key("network.protocol.version"), []string{"1.1", "2"}[r.IntN(2)])
		a.PutStr(key("user_agent.original"), fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/%d.0.0.0", 90+r.IntN(20)))
		a.PutStr(key(nginxsemconv.RequestID), fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()))
		a.PutInt(key("http.response.body.size"), int64(r.IntN(100_000)))
		a.PutInt(key("http.response.size"), int64(r.IntN(100_000)))
		a.PutDouble(key(nginxsemconv.RequestTime), r.Float64())
		a.PutEmptySlice(key(nginxsemconv.RequestHeaderReferer)).AppendEmpty().SetStr("https://shop.example.com/")
		a.PutStr(key(nginxsemconv.CacheStatus), []string{"", "MISS", "HIT"}[r.IntN(3)])
		a.PutEmptySlice(key(nginxsemconv.UpstreamAddress)).AppendEmpty().SetStr("10.1.0." + fmt.Sprint(r.IntN(8)) + ":8080")
		a.PutEmptySlice(key(nginxsemconv.UpstreamStatus)).AppendEmpty().SetInt(200)
		a.PutEmptySlice(key(nginxsemconv.UpstreamConnectTime)).AppendEmpty().SetDouble(0.001)
		a.PutEmptySlice(key(nginxsemconv.UpstreamHeaderTime)).AppendEmpty().SetDouble(r.Float64())
		a.PutEmptySlice(key(nginxsemconv.UpstreamResponseTime)).AppendEmpty().SetDouble(r.Float64())
	}
	return records
}

func randomID(r *rand.Rand) (id [16]byte) {
	binary.LittleEndian.PutUint64(id[:], r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.Uint64())
	return id
}
