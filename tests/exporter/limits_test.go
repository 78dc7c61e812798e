package exporter

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestTheDiskOfTheQueueIsFull: rows are refused while there is no room, and those that were taken are stored when
// somebody has made room.
func TestTheDiskOfTheQueueIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		testenv.Missing(t, "a small disk cannot be mounted here: "+err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ch := harness.StartClickHouse(t)
	g := harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: ch.Addr(), StateDir: dir,
		Args: append([]string{"--set=exporters::ch_batch::sending_queue::queue_size=1000000000"}, append(onDisk, "--set=exporters::ch_batch::logs::queue_rows=10000000")...),
	})
	s := newSender(t, g)
	during(s, 60_000, func() {
		require.NoError(t, ch.Shutdown())
		assert.Eventually(t, func() bool {
			return g.Metrics(t).Sum("otelcol_exporter_ch_batch_rows_refused_total", nil) > 0
		}, 60*time.Second, 200*time.Millisecond, "no row was refused: the disk never was full, or rows were taken without it")
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=256m"))
		require.NoError(t, ch.Restart(context.Background()))
	})
	v := s.exactlyOnce(t, ch)
	assert.Positive(t, v.again)
	assert.Zero(t, v.againDoubled, "a refused row was stored")
	assert.True(t, g.Running())
}

// TestTooManyParts: ClickHouse refuses inserts until it has merged.
func TestTooManyParts(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	g := startGateway(t, ch.Addr(), "--set=exporters::ch_batch::table_settings::parts_to_throw_insert=30",
		"--set=exporters::ch_batch::table_settings::parts_to_delay_insert=30", "--set=exporters::ch_batch::logs::max_rows=1000")
	s := newSender(t, g)
	s.makesTables(t, ch)
	during(s, 10_000, func() {
		ch.Exec(t, "SYSTEM STOP MERGES "+accessLogs)
		require.Eventually(t, func() bool {
			return g.Metrics(t).Sum("otelcol_exporter_ch_batch_insert_failures_total", map[string]string{"code": "252"}) > 2
		}, storedWithin, 100*time.Millisecond)
		ch.Exec(t, "SYSTEM START MERGES "+accessLogs)
	})
	s.exactlyOnce(t, ch)
}

// TestOneOfTwoShardsIsDown after it has stored an insert and before it has answered: its rows wait for it, or go to the other one,
// as configured, but for those of that insert.
func TestOneOfTwoShardsIsDown(t *testing.T) {
	t.Parallel()
	for _, onFailure := range []string{"wait", "reroute"} {
		t.Run(onFailure, func(t *testing.T) {
			first, second := harness.StartClickHouse(t), harness.StartClickHouse(t)
			p := startProxy(t, second.Addr())
			g := startGateway(t, first.Addr()+","+p.addr(), "--set=exporters::ch_batch::routing=shards",
				"--set=exporters::ch_batch::sharding::on_failure="+onFailure)
			s := newSender(t, g)
			during(s, 10_000, func() {
				require.Eventually(t, func() bool {
					return second.Uint(t, "SELECT count() FROM system.tables WHERE name = 'access_logs'") == 1 &&
						second.Uint(t, "SELECT count() FROM "+accessLogs) > 0
				}, storedWithin, 100*time.Millisecond, "the second shard gets rows")
				p.loseAnswers(t, second)
				require.NoError(t, second.Kill())
				p.muteAfter.Store(0)
				s.outage(long(4*time.Second, time.Minute), 10_000)
				require.NoError(t, second.Restart(context.Background()))
			})
			s.exactlyOnce(t, first, second)
			deduplicated(t, g)
			agents := "SELECT uniqExact(instance_id) FROM " + accessLogs
			if onFailure == "wait" {
				assert.EqualValues(t, 10, first.Uint(t, agents)+second.Uint(t, agents), "an agent is on one shard")
				assert.Positive(t, first.Uint(t, agents))
			} else {
				assert.EqualValues(t, 10, first.Uint(t, agents), "the first shard has rows of the second one's agents too")
			}
			assert.Positive(t, second.Uint(t, agents))
		})
	}
}

// TestThePasswordIsWrongAtFirst: the gateway takes rows, and stores them when somebody has put it right.
func TestThePasswordIsWrongAtFirst(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	p := startProxy(t, ch.Addr())
	p.deny.Store(true)
	g := startGateway(t, p.addr())
	s := newSender(t, g)
	during(s, 5000, func() {
		s.outage(2*time.Second, 5000)
		p.deny.Store(false)
	})
	s.exactlyOnce(t, ch)
}

// TestMemoryIsBounded: senders at full speed, and no ClickHouse, until the queue is full. Blocks are not compressed, so
// that this is soon.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		table string
		set   []string
	}{
		"typed": {table: accessLogs}, "typed, disk": {table: accessLogs, set: onDisk},
		"OTel": {table: otelLogs}, "OTel, disk": {table: otelLogs, set: onDisk},
	} {
		t.Run(name, func(t *testing.T) {
			ch := harness.StartClickHouse(t)
			g := startGateway(t, ch.Addr(), append(c.set, "--set=exporters::ch_batch::sending_queue::queue_size=67108864",
				"--set=exporters::ch_batch::logs::queue_rows=100000000", "--set=exporters::ch_batch::compression=none")...)
			s := newSender(t, g)
			s.into(c.table)
			s.rows = 1000
			require.NoError(t, ch.Shutdown())
			s.timeout = 2 * time.Second
			var filled float64
			stop, done := s.begin(200_000)
			require.Eventually(t, func() bool {
				filled = g.Metrics(t).Sum("otelcol_exporter_ch_batch_buffer_bytes", map[string]string{"signal": "logs"})
				return filled > 60<<20
			}, storedWithin, 100*time.Millisecond, "the queue was not full")
			time.Sleep(long(time.Second, 60*time.Second))
			close(stop)
			require.NoError(t, ch.Restart(context.Background()))
			<-done
			s.exactlyOnce(t, ch)
			peak := peakMemory(t, g.PID())
			t.Logf("peak resident memory %d MiB, with %.0f MiB in the queue", peak>>20, filled/(1<<20))
			assert.Less(t, peak, 256<<20, "four queues: its rows, those of inserts and requests, and what the garbage collector has not got to on a busy machine")
		})
	}
}

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

func peakMemory(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	m := peakLine.FindSubmatch(status)
	require.NotNil(t, m)
	kb, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	return kb << 10
}
