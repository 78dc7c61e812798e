package avikareceiver

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"google.golang.org/grpc"

	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/metadata"
)

// BenchmarkReceive measures a log entry's way from the socket to a consumer that does nothing, beside a server that only
// receives it. An operation is an entry; cpu-ns/op is user and system time of this process, in which there is no client.
func BenchmarkReceive(b *testing.B) {
	b.Logf("an entry is %d bytes", len(encodedEntries(0)[0]))
	for name, streams := range map[string]int{"streams=1": 1, "streams=8": 8} {
		b.Run("floor/"+name, func(b *testing.B) { benchmarkLoad(b, startFloor(b), streams) })
		b.Run("receiver/"+name, func(b *testing.B) { benchmarkLoad(b, startForBench(b, false, false), streams) })
		b.Run("reuse/"+name, func(b *testing.B) { benchmarkLoad(b, startForBench(b, false, true), streams) })
		b.Run("spans/"+name, func(b *testing.B) { benchmarkLoad(b, startForBench(b, true, false), streams) })
	}
}

// BenchmarkFleet measures a fleet at a steady rate. An operation is ten seconds; cores is the CPU time of this process by wall
// time, rss-MiB its memory at the end, and for heartbeats rss-KiB/stream what each stream added.
func BenchmarkFleet(b *testing.B) {
	const seconds = 10
	for name, l := range map[string]load{
		"agents=100/entries=1000":   {Streams: 100, Rate: 1000, Messages: 1000 * seconds},
		"agents=10000/heartbeats=1": {Streams: 10_000, Rate: 1, Messages: seconds, Heartbeats: true},
	} {
		b.Run("floor/"+name, func(b *testing.B) { l.Address = startFloor(b); benchmarkFleet(b, l, seconds) })
		b.Run("receiver/"+name, func(b *testing.B) { l.Address = startForBench(b, false, false); benchmarkFleet(b, l, seconds) })
	}
}

func benchmarkFleet(b *testing.B, l load, seconds time.Duration) {
	for b.Loop() {
		before := residentKiB(b)
		wait := l.start(b)
		time.Sleep(seconds / 2 * time.Second)
		start, cpu := time.Now(), cpuTime()
		time.Sleep((seconds/2 - 1) * time.Second)
		b.ReportMetric((cpuTime()-cpu).Seconds()/time.Since(start).Seconds(), "cores")
		resident := residentKiB(b)
		b.ReportMetric(resident/1024, "rss-MiB")
		b.ReportMetric((resident-before)/float64(l.Streams), "rss-KiB/stream")
		wait()
	}
}

// residentKiB is the resident memory of this process.
func residentKiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc: ", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib float64
			if _, err := fmt.Sscanf(value, "%g kB", &kib); err != nil {
				b.Fatal(err)
			}
			return kib
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

func benchmarkLoad(b *testing.B, address string, streams int) {
	each := max(b.N/streams, 1)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	b.ReportAllocs()
	b.ResetTimer()
	load{Address: address, Streams: streams, Messages: each}.start(b)()
	b.StopTimer()
	entries := float64(each * streams)
	spent := cpuTime() - cpu
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(spent)/entries, "cpu-ns/op")
	b.ReportMetric(entries/spent.Seconds(), "entries/cpu-s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/entries, "allocs/op")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/entries, "B/op")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// startFloor starts a server with gRPC's defaults that reads messages and does nothing with them.
func startFloor(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(preEncoded{}))
	agentv1.RegisterCommanderServer(server, floor{})
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(server.Stop)
	return listener.Addr().String()
}

type floor struct {
	agentv1.UnimplementedCommanderServer
}

func (floor) Connect(stream agentv1.Commander_ConnectServer) error {
	for {
		if err := stream.RecvMsg(nil); err != nil {
			return nil
		}
	}
}

func startForBench(b *testing.B, spans, reuse bool) string {
	factory, ctx := NewFactory(), context.Background()
	config := createDefaultConfig().(*Config)
	config.NetAddr.Endpoint = "127.0.0.1:0"
	config.Batch.Reuse = reuse
	settings := receivertest.NewNopSettings(metadata.Type)
	logs, err := factory.CreateLogs(ctx, settings, config, consumertest.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	if spans {
		if _, err := factory.CreateTraces(ctx, settings, config, consumertest.NewNop()); err != nil {
			b.Fatal(err)
		}
	}
	if err := logs.Start(ctx, componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = logs.Shutdown(ctx) })
	return logs.(*shared).receiver.address.String()
}
