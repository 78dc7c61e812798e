package exporter

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// during sends rate rows a second while fault runs, and some seconds before and after it. A fault during which next to nothing was
// acknowledged shows nothing.
func during(s *sender, rate int, fault func()) {
	stop, done := s.begin(rate)
	time.Sleep(2 * time.Second)
	before := s.acked()
	fault()
	assert.GreaterOrEqual(s.t, s.acked()-before, rate/4, "rows acknowledged while the fault was on")
	time.Sleep(2 * time.Second)
	close(stop)
	<-done
}

// begin sends rate rows a second until stop is closed. done is closed when all that were begun are acknowledged.
func (s *sender) begin(rate int) (stop, done chan struct{}) {
	stop, done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				s.run(rate, time.Second)
			}
		}
	}()
	return stop, done
}

// makesTables sends rows, so that the tables are there for what the test does with them.
func (s *sender) makesTables(t testing.TB, ch *harness.ClickHouse) {
	t.Helper()
	s.sendNext()
	s.exactlyOnce(t, ch)
}

// TestClickHouseIsKilled after it has stored an insert and before it has answered: with the queue in memory nothing is lost while the
// gateway lives.
func TestClickHouseIsKilled(t *testing.T) {
	t.Parallel()
	for name, set := range map[string][]string{"memory": nil, "disk": onDisk} {
		t.Run(name, func(t *testing.T) {
			ch := harness.StartClickHouse(t)
			p := startProxy(t, ch.Addr())
			g := startGateway(t, p.addr(), set...)
			s := newSender(t, g)
			s.makesTables(t, ch)
			during(s, 20_000, func() {
				p.loseAnswers(t, ch)
				require.NoError(t, ch.Kill())
				p.muteAfter.Store(0)
				s.outage(long(4*time.Second, time.Minute), 20_000)
				require.NoError(t, ch.Restart(context.Background()))
			})
			s.exactlyOnce(t, ch)
			deduplicated(t, g)
		})
	}
}

// TestClickHouseIsAway for longer than the queue holds: senders are held back, and nothing is lost.
func TestClickHouseIsAway(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	set := []string{"--set=exporters::ch_batch::logs::queue_rows=50000"}
	if atFullLength() {
		set = append(onDisk, "--set=exporters::ch_batch::logs::queue_rows=1000000")
	}
	g := startGateway(t, ch.Addr(), set...)
	s := newSender(t, g)
	s.timeout = time.Second // far less than the outage: rows are refused and sent again
	during(s, 20_000, func() {
		require.NoError(t, ch.Shutdown())
		s.outage(long(8*time.Second, 10*time.Minute), long(25_000, 900_000))
		require.NoError(t, ch.Restart(context.Background()))
	})
	v := s.exactlyOnce(t, ch)
	assert.Positive(t, v.again)
	assert.Zero(t, v.againDoubled, "a refused row was stored")
}

// TestClickHouseIsPaused after it has stored an insert and before it has answered, for much longer than the insert's timeout.
func TestClickHouseIsPaused(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	p := startProxy(t, ch.Addr())
	g := startGateway(t, p.addr(), "--set=exporters::ch_batch::timeout=1s")
	s := newSender(t, g)
	s.makesTables(t, ch)
	during(s, 10_000, func() {
		p.loseAnswers(t, ch)
		require.NoError(t, ch.Pause())
		s.outage(long(4*time.Second, 30*time.Second), 10_000)
		p.muteAfter.Store(0)
		require.NoError(t, ch.Resume())
	})
	s.exactlyOnce(t, ch)
	deduplicated(t, g)
}

// TestClickHouseIsSlow: it runs a sixth of the time, so that inserts outlive a short timeout and end after all.
func TestClickHouseIsSlow(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	g := startGateway(t, ch.Addr(), "--set=exporters::ch_batch::timeout=200ms")
	s := newSender(t, g)
	during(s, 10_000, func() {
		end := time.Now().Add(long(8*time.Second, 40*time.Second))
		for time.Now().Before(end) {
			require.NoError(t, ch.Pause())
			time.Sleep(250 * time.Millisecond)
			require.NoError(t, ch.Resume())
			time.Sleep(50 * time.Millisecond)
		}
	})
	s.exactlyOnce(t, ch)
}

// TestAnswersAreLost: the connection is cut after ClickHouse has answered to the data. The retry is recognized.
func TestAnswersAreLost(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	p := startProxy(t, ch.Addr())
	g := startGateway(t, p.addr(), "--set=exporters::ch_batch::retry_on_failure::max_interval=500ms")
	s := newSender(t, g)
	during(s, 10_000, func() {
		for range 6 {
			before := p.cuts.Load()
			p.cutAfter.Store(5000)
			require.Eventually(t, func() bool { return p.cuts.Load() > before }, 20*time.Second, 5*time.Millisecond)
			p.cutAfter.Store(0)
			time.Sleep(500 * time.Millisecond)
		}
	})
	s.exactlyOnce(t, ch)
	assert.Positive(t, g.Metrics(t).Sum("otelcol_exporter_ch_batch_inserts_deduplicated_total", nil))
	assert.Equal(t, ch.Uint(t, "SELECT count() FROM "+accessLogs), ch.Uint(t, "SELECT sum(requests) FROM "+harness.Database+".traffic_5min"), "rollup")
}

// TestClickHouseIsKilledInTheMiddleOfInserts: again and again, under load.
func TestClickHouseIsKilledInTheMiddleOfInserts(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	g := startGateway(t, ch.Addr())
	s := newSender(t, g)
	during(s, 30_000, func() {
		for range 4 {
			require.NoError(t, ch.Kill())
			require.NoError(t, ch.Restart(context.Background()))
			time.Sleep(1500 * time.Millisecond)
		}
	})
	s.exactlyOnce(t, ch)
	assert.Equal(t, ch.Uint(t, "SELECT count() FROM "+accessLogs), ch.Uint(t, "SELECT sum(requests) FROM "+harness.Database+".traffic_5min"), "rollup")
}

// TestTheGatewayIsKilled with the queue on disk while a client sends. What was acknowledged at the first send is there
// once. A request that was under way is sent again: its rows may have been on disk already, so they may be there twice.
func TestTheGatewayIsKilled(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	g := startGateway(t, ch.Addr(), onDisk...)
	s := newSender(t, g)
	during(s, 20_000, func() {
		for range 3 {
			g.Kill()
			g.Start()
			time.Sleep(1500 * time.Millisecond)
		}
	})
	v := s.exactlyOnce(t, ch)
	t.Logf("sent again: %d, of which the first send had reached the disk: %d", v.again, v.againDoubled)
}

// TestBothAreKilled: ClickHouse after it has stored an insert and before it has answered, then the gateway.
func TestBothAreKilled(t *testing.T) {
	t.Parallel()
	ch := harness.StartClickHouse(t)
	p := startProxy(t, ch.Addr())
	g := startGateway(t, p.addr(), onDisk...)
	s := newSender(t, g)
	s.makesTables(t, ch)
	during(s, 10_000, func() {
		p.loseAnswers(t, ch)
		require.NoError(t, ch.Kill())
		p.muteAfter.Store(0)
		s.outage(time.Second, 5000)
		g.Kill()
		var wg sync.WaitGroup
		wg.Go(func() { _ = ch.Restart(context.Background()) })
		g.Start()
		wg.Wait()
	})
	s.exactlyOnce(t, ch)
	deduplicated(t, g)
}
