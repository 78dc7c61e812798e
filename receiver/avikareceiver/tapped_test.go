package avikareceiver

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// frames is a client that writes HTTP/2 frames itself, because gRPC's does not send what these tests need.
type frames struct {
	t          *testing.T
	connection net.Conn
	framer     *http2.Framer

	// mu is also held while the framer writes.
	mu   sync.Mutex
	seen map[http2.FrameType]int
	acks int
	end  error
}

func (g *rig) dialFrames() *frames {
	connection, err := net.Dial("tcp", g.receiver.address.String())
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = connection.Close() })
	c := &frames{t: g.t, connection: connection, framer: http2.NewFramer(connection, connection), seen: map[http2.FrameType]int{}}
	_, err = connection.Write([]byte(http2.ClientPreface))
	require.NoError(g.t, err)
	require.NoError(g.t, c.framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", agentv1.Commander_Connect_FullMethodName},
		{":authority", "gateway"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		require.NoError(g.t, encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
	}
	require.NoError(g.t, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}))
	go c.read()
	return c
}

func (c *frames) read() {
	for {
		frame, err := c.framer.ReadFrame()
		c.mu.Lock()
		if err != nil {
			c.end = err
			c.mu.Unlock()
			return
		}
		c.seen[frame.Header().Type]++
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
			c.acks++
		} else if ok {
			_ = c.framer.WritePing(true, ping.Data) // the gateway may be gone
		}
		c.mu.Unlock()
	}
}

// send sends messages in one frame.
func (c *frames) send(messages ...proto.Message) error {
	var data []byte
	for _, message := range messages {
		encoded := mustMarshal(message)
		data = append(binary.BigEndian.AppendUint32(append(data, 0), uint32(len(encoded))), encoded...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.WriteData(1, false, data)
}

// allRead waits until the gateway has read all that was sent before.
func (c *frames) allRead() {
	c.t.Helper()
	before := 0
	c.has(func() bool { before = c.acks; return true })
	c.mu.Lock()
	require.NoError(c.t, c.framer.WritePing(false, [8]byte{1}))
	c.mu.Unlock()
	c.has(func() bool { return c.acks > before })
}

func (c *frames) has(condition func() bool) {
	c.t.Helper()
	eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return condition()
	})
}

// stuckRig has a pipeline that takes nothing before release is called.
func stuckRig(t *testing.T, change ...func(*Config)) (g *rig, release func()) {
	gate := make(chan struct{})
	g = newRig(t, append(change, func(c *Config) { c.Batch.MaxRecords = 10 })...)
	g.consume = func(ctx context.Context, _ plog.Logs) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	return g, release
}

func TestPingsAreAnsweredWhileThePipelineIsStuck(t *testing.T) {
	g, release := stuckRig(t)
	g.start()
	c := g.dialFrames()
	for n := range 200 {
		require.NoError(t, c.send(numbered(0, n)))
		if n == 0 { // the stream is there, and what follows is taken by the goroutine that answers pings
			eventually(t, func() bool { return g.counted("nginx_gateway_messages", "type", "log_entry") == 1 })
		}
	}
	for range 3 {
		c.allRead()
	}
	require.Zero(t, g.logs.LogRecordCount())
	release()
	eventually(t, func() bool { return g.logs.LogRecordCount() == 200 })
	g.requireAllOnce(1, 200)
}

// A client that sends more than it may loses its connection, and nobody else notices.
func TestAClientThatIgnoresItsWindow(t *testing.T) {
	var stuck atomic.Bool
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords = 10; c.Limits.StreamWindow = minStreamWindow })
	block := make(chan struct{})
	defer close(block)
	g.consume = func(ctx context.Context, logs plog.Logs) error {
		if id, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get("avika.agent.id"); id.Str() == "bystander" {
			return nil
		}
		stuck.Store(true)
		select {
		case <-block:
		case <-ctx.Done():
		}
		return nil
	}
	g.start()
	check := g.bystander()
	check()
	c := g.dialFrames()
	for n := range 11 { // the stream is there, and the pipeline has its first batch
		require.NoError(t, c.send(numbered(0, n)))
	}
	eventually(t, stuck.Load)
	for range 100_000 {
		if c.send(numbered(0, 0)) != nil {
			break
		}
	}
	c.has(func() bool { return c.end != nil })
	check()
}

// An agent that leaves while the pipeline is behind is offline at once; what it has sent is delivered when it can be.
func TestAnAgentThatLeavesIsOfflineThoughItsDataWait(t *testing.T) {
	g, release := stuckRig(t)
	with, registry := startWithRegistry(t)
	g.config.Registry, g.host = with.config.Registry, with.host
	g.start()
	c := g.dialFrames()
	for n := range 200 {
		require.NoError(t, c.send(numbered(0, n)))
	}
	session := registry.session(t, 0)
	eventually(t, func() bool { return g.counted("nginx_gateway_messages", "type", "log_entry") >= 20 })
	require.NoError(t, c.connection.(*net.TCPConn).CloseWrite()) // Close throws away what is under way when there is something unread
	eventually(t, func() bool { return session.closed.Load() > 0 && g.receiver.streams.len() == 0 })
	require.Zero(t, g.logs.LogRecordCount())
	release()
	eventually(t, func() bool { return g.logs.LogRecordCount() == 200 })
	g.requireAllOnce(1, 200)
}

func TestAgentsAreToldToGoElsewhere(t *testing.T) {
	g := startRig(t)
	c := g.dialFrames()
	require.NoError(t, c.send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	g.stop()
	c.has(func() bool { return c.seen[http2.FrameGoAway] > 0 && c.end != nil })
}

// Many messages need the window to be opened again and again, through the tap and through gRPC alike.
func TestTheWindowOpensAgain(t *testing.T) {
	for name, compressed := range map[string]bool{"tapped": false, "through gRPC": true} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t, func(c *Config) { c.Limits.StreamWindow = minStreamWindow })
			stream := g.dialRaw(compressedIf(compressed)...)
			for n := range 5000 {
				require.NoError(t, stream.SendMsg(mustMarshal(numbered(0, n))))
			}
			eventually(t, func() bool { return g.logs.LogRecordCount() == 5000 })
			g.requireAllOnce(1, 5000)
		})
	}
}

// A heartbeat that says what is known already is not read again, and counts nevertheless.
func TestRepeatedHeartbeats(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Limits.Labels = 1 })
	stream := g.dial()
	beat := func(at int64, uptime float64, host string) {
		message := heartbeatMessage(&agentv1.Heartbeat{Hostname: host, Uptime: uptime, Labels: map[string]string{"a": "1", "b": "2", "c": "3"}})
		message.Timestamp = at
		require.NoError(t, stream.Send(message))
	}
	for i := range 5 {
		beat(100+int64(i), float64(i), "new")
	}
	beat(99, 1, "old") // replayed
	beat(105, 9, "new")
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	host, _ := g.logs.AllLogs()[0].ResourceLogs().At(0).Resource().Attributes().Get("host.name")
	require.Equal(t, "new", host.Str())
	require.EqualValues(t, 7, g.counted("nginx_gateway_messages", "type", "heartbeat"))
	require.EqualValues(t, 7, g.counted("otelcol_receiver_avika_limits_reached", "limit", "labels"))
	require.Equal(t, 1, g.log.FilterMessageSnippet("limits::labels").Len(), "logged once")
}
