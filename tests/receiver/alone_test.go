package receiver

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// startAlone runs the built gateway with the receiver and nothing behind it.
func startAlone(t testing.TB, env ...string) *harness.Gateway {
	t.Helper()
	g := harness.NewGateway(t, harness.GatewayOptions{Config: "testdata/alone.yaml", NoOTLP: true, Env: env})
	g.Launch()
	require.Eventually(t, func() bool {
		response, err := http.Get(g.MetricsURL())
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil && g.Running()
	}, harness.WaitFor, harness.Tick)
	return g
}

func streams(t testing.TB, g *harness.Gateway) int {
	return int(g.Metrics(t).Sum("otelcol_receiver_avika_streams", nil))
}

func received(t testing.TB, g *harness.Gateway, kind string) int {
	return int(g.Metrics(t).Sum("nginx_gateway_messages_total", map[string]string{"type": kind}))
}

// TestTenThousandAgentsConnectAtOnce: the gateway stays up, takes all of them, and an agent that was there before goes on.
func TestTenThousandAgentsConnectAtOnce(t *testing.T) {
	const agents = 10_000
	g := startAlone(t)
	bystander := connect(t, g.AgentAddr(), agentID, sign("", "", ""))
	sent := 0
	check := func() {
		t.Helper()
		bystander.send(logEntry(time.Now(), "access", "of the bystander"))
		sent++
		require.Eventually(t, func() bool { return received(t, g, "log_entry") == sent }, harness.WaitFor, harness.Tick)
	}
	check()
	harness.StartAgent(t, g.AgentAddr(), "--agents", strconv.Itoa(agents), "--rate", "0", "--metrics-interval", "0", "--state-interval", "0", "--connect-rate", "0")
	for streams(t, g) < agents+1 {
		check()
		time.Sleep(harness.Tick)
	}
	check()
	require.True(t, g.Running())
	require.Equal(t, agents+1, streams(t, g))
	require.Zero(t, g.Metrics(t).Sum("otelcol_receiver_avika_streams_refused_total", nil))
	g.Stop()
}

// BenchmarkAlone measures the process of the built gateway with the receiver and the nop exporter, while a fleet in another process sends. An
// operation is a measurement of AVIKA_BENCH_SECONDS (10); cores is CPU time by wall time, us/message CPU time by message, rss-KiB/stream what
// each stream has added.
func BenchmarkAlone(b *testing.B) {
	entries := []string{"--agents", "100", "--rate", "1000"}
	for _, test := range []struct {
		name  string
		fleet []string
		kind  string
		count int
		reuse bool
	}{
		{"agents=100/entries=1000", entries, "log_entry", 100, true},
		{"agents=100/entries=1000/reuse=false", entries, "log_entry", 100, false},
		{"agents=10000/heartbeats=1", []string{"--agents", "10000", "--rate", "0", "--metrics-interval", "0", "--connect-rate", "2500"}, "heartbeat", 10_000, true},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				g := startAlone(b, fmt.Sprintf("AVIKA_REUSE=%t", test.reuse))
				empty := residentKiB(b, g.PID())
				fleet := harness.StartAgent(b, g.AgentAddr(), test.fleet...)
				for streams(b, g) < test.count {
					time.Sleep(harness.Tick)
				}
				time.Sleep(settle)
				messages, cpu, start := received(b, g, test.kind), cpuSeconds(b, g.PID()), time.Now()
				time.Sleep(benchTime(b))
				cpu = cpuSeconds(b, g.PID()) - cpu
				b.ReportMetric(cpu/time.Since(start).Seconds(), "cores")
				b.ReportMetric(cpu/float64(received(b, g, test.kind)-messages)*1e6, "us/message")
				b.ReportMetric(residentKiB(b, g.PID())/1024, "rss-MiB")
				b.ReportMetric((residentKiB(b, g.PID())-empty)/float64(test.count), "rss-KiB/stream")
				fleet.Kill()
				g.Stop()
			}
		})
	}
}

// settle is how long a fleet runs before it is measured.
const settle = 2 * time.Second

func benchTime(b *testing.B) time.Duration {
	seconds := 10
	if text := os.Getenv("AVIKA_BENCH_SECONDS"); text != "" {
		var err error
		seconds, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	return time.Duration(seconds) * time.Second
}

// ticksPerSecond is what Linux counts CPU time in.
const ticksPerSecond = 100

// cpuSeconds is the CPU time that a process has used, in user and system mode.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	_, behindName, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(behindName)
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return float64(ticks) / ticksPerSecond
}

// residentKiB is the resident memory of a process.
func residentKiB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, line, found := strings.Cut(string(status), "VmRSS:")
	require.True(b, found)
	kib, err := strconv.ParseFloat(strings.Fields(line)[0], 64)
	require.NoError(b, err)
	return kib
}
