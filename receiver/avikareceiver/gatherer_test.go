package avikareceiver

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// sendOne sends an entry and a sample of each of some agents, and returns their streams.
func (g *rig) sendOne(agents int) (streams []agentv1.Commander_ConnectClient) {
	streams = make([]agentv1.Commander_ConnectClient, agents)
	for agent := range streams {
		streams[agent] = g.dial()
	}
	for agent, stream := range streams {
		require.NoError(g.t, stream.Send(numbered(agent, 0)))
		require.NoError(g.t, stream.Send(withID(numbered(agent, 0).AgentId, metricsMessage(&agentv1.NginxMetrics{TotalRequests: 1}))))
	}
	return streams
}

func TestStreamsAreHandedOverTogether(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.Timeout, c.Batch.Gather = time.Hour, time.Hour })
	for _, stream := range g.sendOne(5) {
		require.NoError(t, stream.CloseSend()) // then what it has sent is handed over
	}
	entries := g.receiver.gatherers.entries
	eventually(t, func() bool { return entries.waiting() == 5*2 })
	require.Empty(t, g.logs.AllLogs())
	entries.expire() // their time is over
	eventually(t, func() bool { return g.logs.LogRecordCount() == 5 })
	eventually(t, func() bool { return len(g.metrics.AllMetrics()) > 0 })
	g.requireAllOnce(5, 1)
	require.Len(t, g.logs.AllLogs(), 1)
	require.Equal(t, 5, g.logs.AllLogs()[0].ResourceLogs().Len())
	require.Len(t, g.metrics.AllMetrics(), 1)
	require.Equal(t, 5, g.metrics.AllMetrics()[0].ResourceMetrics().Len())
	eventually(t, func() bool { return g.receiver.pending.inUse() == 0 })
}

// Pipelines that may see whose data they get see one agent's alone.
func TestStreamsThatAreHandedOverAlone(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"gather 0":         func(c *Config) { c.Batch.Gather = 0 },
		"include_metadata": func(c *Config) { c.IncludeMetadata = true },
		"partitions":       func(c *Config) { c.Batch.Partitions = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.Batch.Gather = time.Second }, change)
			g.consume = func(ctx context.Context, _ plog.Logs) error {
				require.NotNil(t, client.FromContext(ctx).Addr)
				return nil
			}
			g.start()
			g.sendOne(5)
			eventually(t, func() bool { return len(g.logs.AllLogs()) == 5 && len(g.metrics.AllMetrics()) == 5 })
			g.requireAllOnce(5, 1)
		})
	}
}

// What waits for company when the receiver is shut down is delivered.
func TestGatheredStreamsAreDeliveredAtShutdown(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.Timeout, c.Batch.Gather = time.Millisecond, time.Second })
	g.sendOne(3)
	eventually(t, func() bool { return g.counted("nginx_gateway_messages") == 3*2 })
	g.stop()
	g.requireAllOnce(3, 1)
}

// Streams with whole batches do not wait for others while the pipelines have nothing else to do.
func TestWholeBatchesDoNotWait(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.MaxRecords, c.Batch.Timeout, c.Batch.Gather = 10, time.Hour, time.Hour })
	g.sendAll(1, 1000)
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1000 })
	g.requireAllOnce(1, 1000)
}

// A stream that sends nothing but samples does not wait for more of its own.
func TestSamplesOfAQuietStreamDoNotWait(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.Timeout, c.Batch.Gather = time.Hour, time.Millisecond })
	stream := g.dial()
	for n := range 5 {
		require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: int64(n)})))
		eventually(t, func() bool { return len(g.totals()) == n+1 })
	}
	require.NoError(t, stream.Send(withID(testAgent, numbered(0, 0))))
	require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: 5})))
	require.NoError(t, stream.CloseSend())
	eventually(t, func() bool { return len(g.totals()) == 6 })
	g.requireAllOnce(1, 1)
	require.Equal(t, []int64{0, 1, 2, 3, 4, 5}, g.totals())
}

// Nor does one that arrives while the one before is delivered.
func TestSamplesDoNotWaitAfterADelivery(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.Timeout, c.Batch.Gather = time.Hour, time.Millisecond })
	entered, release := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() {
		close(entered)
		<-release
	})
	var err error
	g.takeMetrics, err = consumer.NewMetrics(func(ctx context.Context, metrics pmetric.Metrics) error {
		first()
		return g.metrics.ConsumeMetrics(ctx, metrics)
	})
	require.NoError(t, err)
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: 0})))
	<-entered
	require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: 1})))
	eventually(t, func() bool { return g.counted("nginx_gateway_messages", "type", "metrics") == 2 })
	close(release)
	eventually(t, func() bool { return len(g.totals()) == 2 })
}

// While the pipeline of logs stands still, what waits for it is held as it came, and samples of others go on.
func TestCallsUnderWayAreBounded(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords, c.Batch.Timeout = gatherRecords, time.Hour })
	maxCalls := maxCalls(g.config.Limits.PendingBytes)
	agents := maxCalls + 8
	free, calls := make(chan struct{}), atomic.Int32{}
	g.consume = func(context.Context, plog.Logs) error {
		calls.Add(1)
		<-free
		return nil
	}
	g.start()
	var sent sync.WaitGroup
	sent.Go(func() { g.sendAll(agents, gatherRecords) })
	eventually(t, func() bool {
		return int(calls.Load()) == maxCalls && g.receiver.gatherers.entries.waiting() == (agents-maxCalls)*gatherRecords
	})
	other := g.dial()
	require.NoError(t, other.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: 1})))
	require.NoError(t, other.CloseSend())
	eventually(t, func() bool { return len(g.metrics.AllMetrics()) == 1 })
	require.EqualValues(t, maxCalls, calls.Load())
	close(free)
	sent.Wait()
	eventually(t, func() bool { return g.logs.LogRecordCount() == agents*gatherRecords })
	g.requireAllOnce(agents, gatherRecords)
}

// waiting is how many records wait for a call.
func (g *gatherer) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.records
}

// With reuse, a consumer of samples may copy what it needs or hold a reference; either way they do not change under its hands.
func TestSamplesAreReused(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.Reuse = true })
	var err error
	calls := 0
	g.takeMetrics, err = consumer.NewMetrics(func(ctx context.Context, metrics pmetric.Metrics) error {
		if pref.MarkPipelineOwnedMetrics(metrics) { // as the service does
			defer pref.UnrefMetrics(metrics)
		}
		if calls++; calls%2 == 0 {
			pref.RefMetrics(metrics)
			return g.metrics.ConsumeMetrics(ctx, metrics)
		}
		clone := pmetric.NewMetrics()
		metrics.CopyTo(clone)
		return g.metrics.ConsumeMetrics(ctx, clone)
	})
	require.NoError(t, err)
	g.start()
	stream := g.dial()
	for n := range 200 {
		require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: int64(n)})))
		time.Sleep(200 * time.Microsecond)
	}
	eventually(t, func() bool { return len(g.totals()) == 200 })
	for n, total := range g.totals() {
		require.EqualValues(t, n, total)
	}
}

// totals are the counts of requests of all samples that have arrived.
func (g *rig) totals() (totals []int64) {
	for _, metrics := range g.metrics.AllMetrics() {
		for _, scope := range metrics.ResourceMetrics().At(0).ScopeMetrics().All() {
			totals = append(totals, scope.Metrics().At(0).Sum().DataPoints().At(0).IntValue())
		}
	}
	return totals
}
