package avikareceiver

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

var errNotNow = errors.New("not now")

// numbered is a log message that can be told from all others.
func numbered(agent, n int) *agentv1.AgentMessage {
	id := fmt.Sprintf("%d-%d", agent, n)
	return withID(fmt.Sprintf("web-%d", agent), logMessage(&agentv1.LogEntry{
		LogType: "access", RemoteAddr: "192.0.2.1", RequestMethod: "GET", RequestUri: "/" + id, Status: 200, RequestId: id,
		Content: `{"req_id":"` + id + `","path":"/` + id + `","status":200,"host":"h` + id + `"}`,
	}))
}

// seenIDs counts how often each request id has arrived, and checks that a record is all of one request.
func (g *rig) seenIDs() map[string]int {
	seen := map[string]int{}
	for _, logs := range g.logs.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, record := range resource.ScopeLogs().At(0).LogRecords().All() {
				attributes := record.Attributes().AsRaw()
				id := attributes["nginx.request.id"].(string)
				require.Equal(g.t, "/"+id, attributes["url.path"])
				require.Equal(g.t, "h"+id, attributes["server.address"])
				seen[id]++
			}
		}
	}
	return seen
}

func (g *rig) requireAllOnce(agents, each int) {
	g.t.Helper()
	seen := g.seenIDs()
	require.Len(g.t, seen, agents*each)
	for id, n := range seen {
		require.Equal(g.t, 1, n, id)
	}
}

// sendAll sends numbered messages of several agents at once.
func (g *rig) sendAll(agents, each int) {
	var wg sync.WaitGroup
	for agent := range agents {
		stream := g.dial()
		wg.Go(func() {
			for n := range each {
				if err := stream.Send(numbered(agent, n)); err != nil {
					g.t.Errorf("agent %d, message %d: %v", agent, n, err)
					return
				}
			}
			_ = stream.CloseSend()
			if err := endOf(stream); err.Error() != "EOF" {
				g.t.Errorf("agent %d: %v", agent, err)
			}
		})
	}
	wg.Wait()
}

func TestEverythingArrivesOnceAndWhole(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.MaxRecords = 10 })
	g.sendAll(8, 1000)
	eventually(t, func() bool { return g.logs.LogRecordCount() == 8000 && g.traces.SpanCount() == 8000 })
	g.requireAllOnce(8, 1000)
	eventually(t, func() bool { return g.receiver.pending.inUse() == 0 }) // it is given back after the pipeline has returned
}

// pdata's pools reuse what the pipeline has let go of; nothing of it may be in use elsewhere.
func TestEverythingArrivesWithPooling(t *testing.T) {
	gate := pref.UseProtoPooling
	require.NoError(t, featuregate.GlobalRegistry().Set(gate.ID(), true))
	defer func() { require.NoError(t, featuregate.GlobalRegistry().Set(gate.ID(), false)) }()
	var refusals atomic.Int32
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords = 10 })
	var mu sync.Mutex
	copies := plog.NewLogs()
	g.consume = func(_ context.Context, logs plog.Logs) error {
		if pref.MarkPipelineOwnedLogs(logs) { // as the service does
			defer pref.UnrefLogs(logs)
		}
		if refusals.Add(1)%3 == 0 {
			return errNotNow
		}
		mu.Lock()
		defer mu.Unlock()
		clone := plog.NewLogs()
		logs.CopyTo(clone)
		clone.ResourceLogs().MoveAndAppendTo(copies.ResourceLogs())
		return nil
	}
	g.start()
	g.sendAll(4, 200)
	g.stop()
	g.logs.Reset()
	require.NoError(t, g.logs.ConsumeLogs(t.Context(), copies))
	g.requireAllOnce(4, 200)
}

// With reuse, a consumer may copy what it needs or hold a reference; either way data must not change under its hands.
func TestReuseLeavesAloneWhatIsHeld(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords = 10; c.Batch.Reuse = true; c.Spans.Enabled = false })
	var mu sync.Mutex
	var held []plog.Logs
	copies := plog.NewLogs()
	g.consume = func(_ context.Context, logs plog.Logs) error {
		if pref.MarkPipelineOwnedLogs(logs) { // as the service does
			defer pref.UnrefLogs(logs)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(held) < 100 && logs.LogRecordCount()%2 == 0 {
			pref.RefLogs(logs)
			held = append(held, logs)
			return nil
		}
		clone := plog.NewLogs()
		logs.CopyTo(clone)
		clone.ResourceLogs().MoveAndAppendTo(copies.ResourceLogs())
		return nil
	}
	g.start()
	g.sendAll(4, 2000)
	g.stop()
	g.logs.Reset()
	require.Len(t, held, 100)
	for _, logs := range held {
		clone := plog.NewLogs()
		logs.CopyTo(clone)
		clone.ResourceLogs().MoveAndAppendTo(copies.ResourceLogs())
		pref.UnrefLogs(logs)
	}
	require.NoError(t, g.logs.ConsumeLogs(t.Context(), copies))
	g.requireAllOnce(4, 2000)
}

// Without reuse, a consumer may keep data as it likes.
func TestReuseIsOffByDefault(t *testing.T) {
	require.False(t, createDefaultConfig().(*Config).Batch.Reuse)
}

// While the pipeline fails, reading stops, memory stays bounded and nothing is lost; when it recovers, data flow.
func TestBackPressure(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	g := newRig(t, func(c *Config) {
		c.Batch.MaxRecords = 10
		c.Limits.StreamWindow = minStreamWindow
		c.Limits.IdleTimeout = 300 * time.Millisecond
	})
	g.consume = func(context.Context, plog.Logs) error {
		if failing.Load() {
			return errNotNow
		}
		return nil
	}
	g.start()
	const each = 20_000
	stream, sent := g.dial(), make(chan int, 1)
	var progress atomic.Int64
	go func() {
		n := 0
		for ; n < each && stream.Send(numbered(0, n)) == nil; n++ {
			progress.Add(1)
		}
		_ = stream.CloseSend()
		sent <- n
	}()
	last := int64(-1)
	require.Eventually(t, func() bool {
		now := progress.Load()
		still := now == last && g.counted("otelcol_receiver_avika_retries", "signal", "logs") > 0
		last = now
		return still
	}, 30*time.Second, 500*time.Millisecond, "the agent is held back")
	require.Less(t, last, int64(each/2))
	require.Less(t, g.receiver.pending.inUse(), int64(20*1024))
	require.Equal(t, 1, g.log.FilterMessageSnippet("does not take data").Len(), "logged once")
	require.Equal(t, 1, g.receiver.streams.len(), "a stream that is not read is not idle")

	failing.Store(false)
	require.Equal(t, each, <-sent)
	eventually(t, func() bool { return g.logs.LogRecordCount() == each })
	g.requireAllOnce(1, each)
}

func TestPendingBytesBoundAllStreams(t *testing.T) {
	release := make(chan struct{})
	g := newRig(t, func(c *Config) {
		c.Batch.MaxRecords = 1000
		c.Limits.PendingBytes = 64 << 10
		c.Limits.StreamWindow = minStreamWindow
	})
	g.consume = func(ctx context.Context, _ plog.Logs) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	g.start()
	done := make(chan struct{})
	go func() { defer close(done); g.sendAll(10, 2000) }()
	eventually(t, func() bool { return g.counted("otelcol_receiver_avika_limits_reached", "limit", "pending_bytes") >= 5 })
	require.Equal(t, 1, g.log.FilterMessageSnippet("limits::pending_bytes").Len(), "logged once")
	require.LessOrEqual(t, g.receiver.pending.inUse(), int64(64<<10))
	require.LessOrEqual(t, g.counted("otelcol_receiver_avika_pending"), int64(64<<10))
	close(release)
	<-done
	eventually(t, func() bool { return g.logs.LogRecordCount() == 20_000 })
	g.requireAllOnce(10, 2000)
	eventually(t, func() bool { return g.receiver.pending.inUse() == 0 }) // it is given back after the pipeline has returned
}

func TestOneSlowAgentDoesNotDisturbOthers(t *testing.T) {
	held, release := make(chan struct{}, 1), make(chan struct{})
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords = 5 })
	g.consume = func(ctx context.Context, logs plog.Logs) error {
		if id, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get("avika.agent.id"); id.Str() == "web-0" {
			select {
			case held <- struct{}{}:
			default:
			}
			<-release
		}
		return nil
	}
	g.start()
	slow := g.dial()
	for n := range 100 {
		require.NoError(t, slow.Send(numbered(0, n)))
	}
	<-held // before that both could be in one call
	other := g.dial()
	for n := range 100 {
		require.NoError(t, other.Send(numbered(1, n)))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 100 })
	close(release)
	eventually(t, func() bool { return g.logs.LogRecordCount() == 200 })
}

func TestPermanentErrorsAreCounted(t *testing.T) {
	g := newRig(t)
	g.consume = func(context.Context, plog.Logs) error { return consumererror.NewPermanent(errNotNow) }
	g.start()
	stream := g.dial()
	for n := range 20 {
		require.NoError(t, stream.Send(numbered(0, n)))
	}
	eventually(t, func() bool {
		return g.counted("otelcol_receiver_avika_records_dropped", "signal", "logs", "reason", refusedPermanent) == 20
	})
	require.Zero(t, g.counted("otelcol_receiver_avika_retries"))
	require.Equal(t, 1, g.log.FilterMessageSnippet("Dropped data").Len(), "logged once")
	eventually(t, func() bool { return g.traces.SpanCount() == 20 })
}

func TestRetriesEnd(t *testing.T) {
	for reason, change := range map[string]func(*Config){
		refusedNoRetry:   func(c *Config) { c.Retry.Enabled = false },
		refusedRetryTime: func(c *Config) { c.Retry.MaxElapsedTime = 50 * time.Millisecond },
	} {
		g := newRig(t, change)
		g.consume = func(context.Context, plog.Logs) error { return errNotNow }
		g.start()
		require.NoError(t, g.dial().Send(numbered(0, 0)))
		eventually(t, func() bool {
			return g.counted("otelcol_receiver_avika_records_dropped", "signal", "logs", "reason", reason) == 1
		})
	}
}

func TestOnlyTheRestIsRetried(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords = 3; c.Batch.Timeout = time.Minute })
	var calls []int
	g.consume = func(_ context.Context, logs plog.Logs) error {
		if calls = append(calls, logs.LogRecordCount()); len(calls) > 1 {
			return nil
		}
		rest := plog.NewLogs()
		logs.CopyTo(rest)
		first := true
		rest.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(func(plog.LogRecord) bool { was := first; first = false; return was })
		return consumererror.NewLogs(errNotNow, rest)
	}
	g.start()
	stream := g.dial()
	for n := range 3 {
		require.NoError(t, stream.Send(numbered(0, n)))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	require.Equal(t, []int{3, 2}, calls)
}

func TestABatchIsBoundedInBytes(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.MaxBytes = 1; c.Batch.Timeout = time.Minute })
	stream := g.dial()
	for n := range 5 {
		require.NoError(t, stream.Send(numbered(0, n)))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 5 })
}

func TestTheFirstRecordWaitsForOthers(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.Timeout = 150 * time.Millisecond })
	stream, start := g.dialFrames(), time.Now()
	require.NoError(t, stream.send(numbered(0, 0), numbered(0, 1)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	require.GreaterOrEqual(t, time.Since(start), 150*time.Millisecond)
	require.Len(t, g.logs.AllLogs(), 1)
}

// What an agent sent before it went is delivered, though the pipeline takes it only later.
func TestDataOutliveTheirStream(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	g := newRig(t)
	g.consume = func(ctx context.Context, _ plog.Logs) error {
		if failing.Load() {
			return errNotNow
		}
		return ctx.Err()
	}
	g.start()
	stream := g.dial()
	for n := range 10 {
		require.NoError(t, stream.Send(numbered(0, n)))
	}
	require.NoError(t, stream.CloseSend())
	require.ErrorContains(t, endOf(stream), "EOF")
	failing.Store(false)
	eventually(t, func() bool { return g.logs.LogRecordCount() == 10 })
	g.requireAllOnce(1, 10)
}

func TestEachSignalMayBeAbsent(t *testing.T) {
	factory, ctx := NewFactory(), context.Background()
	g := newRig(t)
	metrics, err := factory.CreateMetrics(ctx, g.settings, g.config, &g.metrics)
	require.NoError(t, err)
	require.NoError(t, metrics.Start(ctx, g.host))
	g.receiver = metrics.(*shared).receiver
	stream := g.dial()
	require.NoError(t, stream.Send(numbered(0, 0)))
	require.NoError(t, stream.Send(withID("web-0", metricsMessage(&agentv1.NginxMetrics{}))))
	eventually(t, func() bool { return g.metrics.DataPointCount() > 0 })
	require.NoError(t, metrics.Shutdown(ctx))

	g = newRig(t)
	traces, err := factory.CreateTraces(ctx, g.settings, g.config, &g.traces)
	require.NoError(t, err)
	require.NoError(t, traces.Start(ctx, g.host))
	g.receiver = traces.(*shared).receiver
	stream = g.dial()
	require.NoError(t, stream.Send(withID("web-0", metricsMessage(&agentv1.NginxMetrics{}))))
	require.NoError(t, stream.Send(numbered(0, 0)))
	eventually(t, func() bool { return g.traces.SpanCount() == 1 })
	require.NoError(t, traces.Shutdown(ctx))
}

func TestSpansCanBeSwitchedOff(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Spans.Enabled = false })
	require.NoError(t, g.dial().Send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	require.Zero(t, g.traces.SpanCount())
}

func TestBudget(t *testing.T) {
	b := newBudget(10)
	require.True(t, b.try(11), "a message that is larger than all fits when nothing else is there")
	require.False(t, b.try(1))
	ctx, cancel := context.WithCancel(t.Context())
	order := make(chan int, 3)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if b.wait(ctx, 4, nil) == admitted {
				order <- i
			}
		})
		eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.waiting) == i+1 })
	}
	b.release(11)
	require.ElementsMatch(t, []int{0, 1}, []int{<-order, <-order})
	require.False(t, b.try(1), "who waits comes first")
	cancel()
	wg.Wait()
	require.EqualValues(t, 8, b.inUse())
}

// Who has waited for long enough leaves the line to those behind.
func TestBudgetIsNotWaitedForTooLong(t *testing.T) {
	b := newBudget(10)
	require.True(t, b.try(8))
	enough, answers := make(chan time.Time), make(chan admission, 2)
	go func() { answers <- b.wait(t.Context(), 5, enough) }()
	eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.waiting) == 1 })
	go func() { answers <- b.wait(t.Context(), 2, nil) }()
	eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.waiting) == 2 })
	close(enough)
	require.ElementsMatch(t, []admission{later, admitted}, []admission{<-answers, <-answers})
	require.EqualValues(t, 10, b.inUse())
	b.release(10)
	require.True(t, b.try(10), "nobody waits any more")
}

func TestMoreCallsWhereMoreMayBePending(t *testing.T) {
	few := maxCalls(1)
	require.Equal(t, 2*runtime.GOMAXPROCS(0), few)
	require.Greater(t, maxCalls(100*few*callBytes), few)
}
