//go:build compare

package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// run is one collector under measurement.
type run struct {
	name, binary string
	configs      []string
	table        string
	event        string // of the records; empty: not NGINX's
}

// result of a run.
type result struct {
	rows              int
	wall              time.Duration
	collector, server time.Duration // CPU time
	peak              int           // bytes
	parts             uint64
	stored, diskBytes uint64
}

func (r result) String() string {
	n := float64(r.rows)
	return fmt.Sprintf("%9d rows  %6.1f s  %7.0f rows/s  collector %6.2f µs/row = %7.0f rows/CPU-s, peak RSS %4d MiB  ClickHouse %5.2f µs/row  parts %3d  stored %d, %.0f B/row on disk",
		r.rows, r.wall.Seconds(), n/r.wall.Seconds(), float64(r.collector.Nanoseconds())/n/1000, n/r.collector.Seconds(), r.peak>>20,
		float64(r.server.Nanoseconds())/n/1000, r.parts, r.stored, float64(r.diskBytes)/n)
}

func TestCompare(t *testing.T) {
	rows := 2_000_000
	if n, err := strconv.Atoi(os.Getenv("AVIKA_COMPARE_ROWS")); err == nil {
		rows = n
	}
	theirs := filepath.Join(harness.Root(t), "tests", "peer", "dist", "otelcol-peer")
	if _, err := os.Stat(theirs); err != nil {
		t.Fatalf("the peer is not built: tests/peer/build.sh (%v)", err)
	}
	ours := harness.Binary(t, "otelcol-avika")
	for _, r := range []run{
		{name: "peer, memory", binary: theirs, configs: []string{"peer.yaml"}, table: "peer.otel_logs"},
		{name: "ch_batch, memory", binary: ours, configs: []string{"ours.yaml"}, table: "ours.otel_logs"},
		{name: "peer, disk", binary: theirs, configs: []string{"peer.yaml", "peer-disk.yaml"}, table: "peer.otel_logs"},
		{name: "ch_batch, disk", binary: ours, configs: []string{"ours.yaml", "ours-disk.yaml"}, table: "ours.otel_logs"},
		{name: "ch_batch, typed", binary: ours, configs: []string{"ours.yaml"}, table: "ours.access_logs", event: "nginx.access"},
		{name: "ch_batch, typed, disk", binary: ours, configs: []string{"ours.yaml", "ours-disk.yaml"}, table: "ours.access_logs", event: "nginx.access"},
	} {
		if only := os.Getenv("AVIKA_COMPARE_ONLY"); only != "" && !strings.Contains(r.name, only) {
			continue
		}
		t.Run(r.name, func(t *testing.T) { t.Logf("%-22s %s", r.name, measure(t, r, rows)) })
	}
}

// requestRows is how many rows a client sends at once.
const requestRows = 1000

func measure(t *testing.T, r run, rows int) result {
	t.Helper()
	ch := harness.StartClickHouse(t)
	ports := harness.Ports(t, 1)
	addr := "127.0.0.1:" + strconv.Itoa(ports[0])
	var args []string
	for _, c := range r.configs {
		args = append(args, "--config", filepath.Join("testdata", c))
	}
	p, err := localstack.StartProcess(localstack.Spec{
		Name: r.name, Args: append([]string{r.binary}, args...), DeathSignal: syscall.SIGKILL, LogFile: filepath.Join(t.TempDir(), "collector.log"),
		Env: []string{"CLICKHOUSE=" + ch.Addr(), "OTLP_PORT=" + strconv.Itoa(ports[0]), "STATE_DIR=" + t.TempDir()},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(localstack.Tail(p.LogFile(), 30))
		}
		_ = p.Stop(20 * time.Second)
	})
	requests := encodeRequests(200, requestRows, r.event)
	waitFor(t, ch, addr, r.table)
	server, collector, start := cpuTime(t, ch.PID()), cpuTime(t, p.PID()), time.Now()
	sendAll(t, addr, requests, rows/requestRows)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.GreaterOrEqual(c, ch.Uint(c, "SELECT count() FROM "+r.table), uint64(rows))
	}, 3*time.Minute, 100*time.Millisecond)
	out := result{rows: rows, wall: time.Since(start), collector: cpuTime(t, p.PID()) - collector, peak: peakMemory(t, p.PID())}
	db, table, _ := strings.Cut(r.table, ".")
	of := fmt.Sprintf(" FROM system.parts WHERE active AND database = '%s' AND table = '%s'", db, table)
	out.parts = ch.Uint(t, "SELECT count()"+of)
	time.Sleep(5 * time.Second) // merges are part of the price
	out.server = cpuTime(t, ch.PID()) - server
	out.stored, out.diskBytes = ch.Uint(t, "SELECT count() FROM "+r.table), ch.Uint(t, "SELECT sum(bytes_on_disk)"+of)
	return out
}

// waitFor waits until the collector listens and has made its table.
func waitFor(t *testing.T, ch *harness.ClickHouse, addr, table string) {
	t.Helper()
	require.Eventually(t, func() bool { return localstack.PortInUse(addr) }, 30*time.Second, 50*time.Millisecond)
	db, name, _ := strings.Cut(table, ".")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, 1, ch.Uint(c, fmt.Sprintf("SELECT count() FROM system.tables WHERE database = '%s' AND name = '%s'", db, name)))
	}, 30*time.Second, 50*time.Millisecond)
	time.Sleep(time.Second)
}

// senders is how many requests are under way at once.
const senders = 8

func sendAll(t *testing.T, addr string, requests [][]byte, n int) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	work := make(chan int)
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for i := range work {
				sendOne(t, conn, requests[i%len(requests)])
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
}

func sendOne(t *testing.T, conn *grpc.ClientConn, request []byte) {
	for range 100 {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		var answer []byte
		err := conn.Invoke(ctx, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", request, &answer)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("a request was never acknowledged")
}

// cpuTime is the user and system time of a process and its children that it has waited for.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks
}

// clockTicks a second of /proc.
var clockTicks = func() time.Duration {
	out, err := exec.Command("getconf", "CLK_TCK").Output()
	n, err2 := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || err2 != nil {
		return 100
	}
	return time.Duration(n)
}()

func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kb << 10
}
