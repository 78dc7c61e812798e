package avikareceiver

import (
	"context"
	"fmt"
	"net"
	"runtime"
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
// receives it. An operation is an entry; cpu-ns/op is user and system time of this process, in which there is no client, and floors what
// that is in terms of the server that only receives.
func BenchmarkReceive(b *testing.B) {
	b.Logf("an entry is %d bytes", len(encodedEntries(0)[0]))
	for _, streams := range []int{1, 8} {
		floor := 0.0
		for _, test := range []struct {
			name  string
			start func(*testing.B) string
		}{
			{"floor", startFloor},
			{"receiver", func(b *testing.B) string { return startForBench(b, false, false) }},
			{"reuse", func(b *testing.B) string { return startForBench(b, false, true) }},
			{"spans", func(b *testing.B) string { return startForBench(b, true, false) }},
			{"spans+reuse", func(b *testing.B) string { return startForBench(b, true, true) }},
		} {
			b.Run(fmt.Sprintf("%s/streams=%d", test.name, streams), func(b *testing.B) {
				cost := benchmarkLoad(b, test.start(b), streams)
				if test.name == "floor" {
					floor = cost
				}
				b.ReportMetric(cost/floor, "floors")
			})
		}
	}
}

// benchmarkLoad returns the CPU time of an entry in nanoseconds.
func benchmarkLoad(b *testing.B, address string, streams int) float64 {
	each := max(b.N/streams, 1)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	b.ResetTimer()
	load{Address: address, Streams: streams, Messages: each}.start(b)()
	b.StopTimer()
	entries := float64(each * streams)
	spent := cpuTime() - cpu
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(spent)/entries, "cpu-ns/op")
	b.ReportMetric(entries/spent.Seconds(), "entries/cpu-s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/entries, "allocs/entry")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/entries, "B/entry")
	return float64(spent) / entries
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
