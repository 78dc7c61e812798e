package avikareceiver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// stock is an agent that does as stock agents do: what gRPC has taken counts as sent, the rest goes into the next stream.
type stock struct {
	number  int
	pause   time.Duration
	sent    int
	streams atomic.Int64
}

// run sends to a gateway until ctx ends, or the gateway is gone.
func (a *stock) run(ctx context.Context, t *testing.T, address string) {
	for a.stream(ctx, t, address) {
	}
}

// stream reports whether there is to be another one.
func (a *stock) stream(ctx context.Context, t *testing.T, address string) bool {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if !assert.NoError(t, err) {
		return false
	}
	defer connection.Close()
	stream, err := agentv1.NewCommanderClient(connection).Connect(context.Background())
	if err != nil {
		return false
	}
	for ctx.Err() == nil {
		if stream.Send(numbered(a.number, a.sent)) != nil {
			a.streams.Add(1)
			end := endOf(stream)
			assert.Equal(t, codes.Unavailable, status.Code(end), end)
			return !errors.Is(end, errShuttingDown)
		}
		a.sent++
		if a.pause > 0 {
			time.Sleep(a.pause)
		}
	}
	_ = stream.CloseSend()
	_ = endOf(stream)
	return false
}

// fleet is some agents, and what has arrived of them.
type fleet struct {
	t       *testing.T
	agents  []stock
	running sync.WaitGroup

	mu  sync.Mutex
	ids map[string]int
	all int
}

func newFleet(t *testing.T, agents int, pause time.Duration) *fleet {
	f := &fleet{t: t, agents: make([]stock, agents), ids: map[string]int{}}
	for i := range f.agents {
		f.agents[i].number, f.agents[i].pause = i, pause
	}
	return f
}

// gateway takes what the fleet sends, each batch with a delay.
func (f *fleet) gateway(delay time.Duration, change ...func(*Config)) *rig {
	g := newRig(f.t, change...)
	g.discard = true
	g.consume = func(_ context.Context, logs plog.Logs) error {
		time.Sleep(delay)
		f.take(logs)
		return nil
	}
	return g.start()
}

func (f *fleet) start(ctx context.Context, g *rig) {
	for i := range f.agents {
		f.running.Go(func() { f.agents[i].run(ctx, f.t, g.receiver.address.String()) })
	}
}

func (f *fleet) take(logs plog.Logs) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, resource := range logs.ResourceLogs().All() {
		for _, record := range resource.ScopeLogs().At(0).LogRecords().All() {
			id, _ := record.Attributes().Get("nginx.request.id")
			f.ids[id.Str()]++
			f.all++
		}
	}
}

// streams is how many streams the gateway has ended.
func (f *fleet) streams() (n int) {
	for i := range f.agents {
		n += int(f.agents[i].streams.Load())
	}
	return n
}

// lost checks that nothing is there twice, and returns how many messages are missing and how many streams the gateway has ended.
func (f *fleet) lost() (lost, streams int) {
	f.t.Helper()
	require.Equal(f.t, len(f.ids), f.all, "messages are there twice")
	sent := 0
	for i := range f.agents {
		sent += f.agents[i].sent
	}
	streams = f.streams()
	f.t.Logf("%d messages, %d stream ends, %d lost", sent, streams, sent-f.all)
	return sent - f.all, streams
}

// A stream may lose its last message in gRPC's client (docs/adr/017), where on a quiet machine no paced one does; this process is agents and
// gateway, and the race detector makes it slow. Without what is tested here a stream at full speed loses what its client holds back, 64 KiB or 479 messages.
const (
	racePaced     = 0.5 // without what is tested here it is more than 1
	raceFullSpeed = 479 / 4
)

func withAge(age, grace time.Duration) func(*Config) {
	return func(c *Config) {
		c.Keepalive.Get().ServerParameters.Get().MaxConnectionAge = age
		c.Keepalive.Get().ServerParameters.Get().MaxConnectionAgeGrace = grace
	}
}

// Streams that end by their age, again and again, lose nothing, however fast the agents are and whether or not the pipeline keeps up, but for what
// gRPC's client loses by itself.
func TestOldConnectionsEndWithoutALoss(t *testing.T) {
	for name, test := range map[string]struct {
		agents       int
		pause, delay time.Duration
		grace        time.Duration
		window       int
		race         float64
	}{
		"paced":                          {agents: 10, pause: time.Millisecond, race: racePaced},
		"as fast as it goes":             {agents: 2, race: raceFullSpeed},
		"the pipeline is behind":         {agents: 4, delay: 20 * time.Millisecond, grace: time.Second, race: raceFullSpeed},
		"… and the windows are all used": {agents: 4, delay: 20 * time.Millisecond, grace: time.Second, window: minStreamWindow, race: raceFullSpeed},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, test.agents, test.pause)
			g := f.gateway(test.delay, withAge(200*time.Millisecond, test.grace), func(c *Config) {
				if test.window > 0 {
					c.Limits.StreamWindow = test.window
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.start(ctx, g)
			eventually(t, func() bool { return f.streams() >= 5*test.agents })
			cancel()
			f.running.Wait()
			g.stop()
			lost, streams := f.lost()
			require.LessOrEqual(t, float64(lost), test.race*float64(streams))
		})
	}
}

func TestShutdownsLoseNothing(t *testing.T) {
	f := newFleet(t, 20, time.Millisecond)
	for range 5 {
		g := f.gateway(0)
		f.start(t.Context(), g)
		eventually(t, func() bool {
			return g.receiver.streams.len() == 20 && g.counted("nginx_gateway_messages", "type", "log_entry") >= 2000
		})
		g.stop()
		f.running.Wait()
	}
	lost, streams := f.lost()
	require.Equal(t, 5*20, streams)
	require.LessOrEqual(t, float64(lost), racePaced*float64(streams))
}

// What arrives after the end of the stream, up to its reset, is taken; only then the agent is sent away from the connection.
func TestLateMessagesAreTaken(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	c := g.dialFrames()
	require.NoError(t, c.send(numbered(0, 0)))
	registry.session(t, 0).end()
	c.has(func() bool { return c.seen[http2.FrameHeaders] == 1 })
	for n := 1; n < 100; n++ {
		require.NoError(t, c.send(numbered(0, n)))
	}
	c.has(func() bool { require.Zero(t, c.seen[http2.FrameGoAway]); return true })
	require.NoError(t, c.framer.WriteRSTStream(1, http2.ErrCodeNo))
	c.has(func() bool { return c.seen[http2.FrameGoAway] == 1 })
	eventually(t, func() bool { return g.logs.LogRecordCount() == 100 })
	g.requireAllOnce(1, 100)
}

// A message that the end of the stream has cut off is counted; so is nothing else.
func TestACutMessageIsCounted(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	c := g.dialFrames()
	require.NoError(t, c.send(numbered(0, 0)))
	registry.session(t, 0).end()
	c.has(func() bool { return c.seen[http2.FrameHeaders] == 1 })
	require.NoError(t, c.framer.WriteData(1, false, []byte{0, 0, 0, 1, 0, 'x'}))
	require.NoError(t, c.framer.WriteRSTStream(1, http2.ErrCodeNo))
	eventually(t, func() bool { return g.counted("otelcol_receiver_avika_messages_refused", "reason", refusedCut) == 1 })
	require.Zero(t, g.counted("otelcol_receiver_avika_streams_refused"))
}

// An agent that does not answer any more does not keep the gateway from stopping.
func TestShutdownWithAnAgentThatIsGone(t *testing.T) {
	g := startRig(t)
	c := g.dialFrames()
	require.NoError(t, c.send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	g.stop()
	c.has(func() bool { return c.seen[http2.FrameHeaders] == 1 })
}

// Connections without a stream are told to end at their age, and closed after the grace.
func TestOldConnectionsWithoutAStream(t *testing.T) {
	g := startRig(t, withAge(50*time.Millisecond, 100*time.Millisecond))
	c := g.dialFrames()
	require.NoError(t, c.framer.WriteData(1, true, nil))
	c.has(func() bool { return c.seen[http2.FrameGoAway] == 1 && c.end != nil })
}

// An agent's next stream may be there while the last messages of the one before arrive.
func TestTheNextStreamDuringTheEndOfTheOld(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	old := g.dialFrames()
	require.NoError(t, old.send(numbered(0, 0)))
	registry.session(t, 0).end()
	old.has(func() bool { return old.seen[http2.FrameHeaders] == 1 })
	next := g.dialFrames()
	require.NoError(t, next.send(numbered(0, 2)))
	require.Zero(t, registry.session(t, 1).closed.Load())
	require.NoError(t, old.send(numbered(0, 1)))
	require.Zero(t, registry.session(t, 0).closed.Load())
	require.NoError(t, old.framer.WriteRSTStream(1, http2.ErrCodeNo))
	eventually(t, func() bool { return registry.session(t, 0).closed.Load() == 1 && g.logs.LogRecordCount() == 3 })
	g.requireAllOnce(1, 3)
}

// A stream that was silent for too long loses nothing either when its agent speaks again at that moment.
func TestAnIdleStreamEndsWithoutALoss(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Limits.IdleTimeout = 500 * time.Millisecond })
	c := g.dialFrames()
	require.NoError(t, c.send(numbered(0, 0)))
	c.has(func() bool { return c.seen[http2.FrameHeaders] == 1 })
	require.NoError(t, c.send(numbered(0, 1)))
	require.NoError(t, c.framer.WriteRSTStream(1, http2.ErrCodeNo))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	g.requireAllOnce(1, 2)
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedIdle))
}
