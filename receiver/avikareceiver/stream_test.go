package avikareceiver

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func withID(id string, message *agentv1.AgentMessage) *agentv1.AgentMessage {
	message.AgentId = id
	return message
}

func TestBothFormsOfAnIDAreOneAgent(t *testing.T) {
	g := startRig(t)
	stream := g.dial()
	for _, id := range []string{"web-01+10.0.2.15", "web-01-10-0-2-15", "web-01+10.0.2.15"} {
		require.NoError(t, stream.Send(withID(id, logMessage(&agentv1.LogEntry{Status: 200}))))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 3 })
	for _, logs := range g.logs.AllLogs() {
		id, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get("avika.agent.id")
		require.Equal(t, "web-01-10-0-2-15", id.Str())
	}
}

func TestRefusedIDs(t *testing.T) {
	for name, test := range map[string]struct {
		ids    []string
		code   codes.Code
		reason string
		says   string
	}{
		"empty":                 {[]string{""}, codes.InvalidArgument, refusedAgentID, `agent_id "" must be`},
		"10 KiB":                {[]string{strings.Repeat("x", 10<<10)}, codes.InvalidArgument, refusedAgentID, `agent_id "` + strings.Repeat("x", 40) + `" must be`},
		"a way up":              {[]string{".."}, codes.InvalidArgument, refusedAgentID, `agent_id ".." must be`},
		"a NUL":                 {[]string{"a\x00b"}, codes.InvalidArgument, refusedAgentID, `agent_id "a\x00b" must be`},
		"a terminal escape":     {[]string{"\x1b[31mred"}, codes.InvalidArgument, refusedAgentID, `agent_id "\x1b[31mred" must be`},
		"another in the stream": {[]string{testAgent, "web-02-10-0-2-16"}, codes.PermissionDenied, refusedIdentity, `from "web-01-10-0-2-15" to "web-02-10-0-2-16"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t)
			stream := g.dial()
			for _, id := range test.ids {
				require.NoError(t, stream.Send(withID(id, logMessage(&agentv1.LogEntry{Status: 200}))))
			}
			err := endOf(stream)
			require.Equal(t, test.code, status.Code(err))
			require.ErrorContains(t, err, test.says)
			require.Contains(t, g.logged(test.reason)["status"], test.says)
			require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", test.reason))
			eventually(t, func() bool { return g.logs.LogRecordCount() == len(test.ids)-1 })
		})
	}
}

func (g *rig) dialSigned(pairs []string) agentv1.Commander_ConnectClient {
	return g.dial(grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return streamer(metadata.AppendToOutgoingContext(ctx, pairs...), desc, cc, method, opts...)
	}))
}

func TestPSKOnTheStream(t *testing.T) {
	g := startRig(t, func(c *Config) { c.PSK.Keys = testKey })
	for name, test := range map[string]struct {
		pairs  []string
		id     string
		code   codes.Code
		reason string
	}{
		"unsigned":     {nil, testAgent, codes.Unauthenticated, refusedUnsigned},
		"wrong key":    {signedMetadata(otherKey, testAgent, "web-01", time.Now()), testAgent, codes.Unauthenticated, refusedSignature},
		"out of time":  {signedMetadata(testKey, testAgent, "web-01", time.Now().Add(-time.Hour)), testAgent, codes.Unauthenticated, refusedClock},
		"another's id": {signedMetadata(testKey, testAgent, "web-01", time.Now()), "web-02-10-0-2-16", codes.PermissionDenied, refusedIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			stream := g.dialSigned(test.pairs)
			_ = stream.Send(withID(test.id, logMessage(&agentv1.LogEntry{Status: 200}))) // may fail already
			err := endOf(stream)
			require.Equal(t, test.code, status.Code(err))
			require.NotEmpty(t, status.Convert(err).Message())
			require.Equal(t, status.Convert(err).Message(), g.logged(test.reason)["status"])
			require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", test.reason))
			if test.reason != refusedIdentity {
				require.Contains(t, g.logged(test.reason)["address"], "127.0.0.1:")
			}
		})
	}
	require.Zero(t, g.logs.LogRecordCount(), "nothing of theirs was taken")

	for _, id := range []string{testAgent, "web-01+10.0.2.15"} {
		stream := g.dialSigned(signedMetadata(testKey, id, "web-01", time.Now()))
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
}

// A stream may begin with log entries: what the agent has kept while it was away comes before its first heartbeat.
func TestLogEntriesBeforeAnyHeartbeat(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	require.NoError(t, stream.Send(withID("web-0", heartbeatMessage(&agentv1.Heartbeat{Hostname: "h", Version: "1.27.0"}))))
	require.NoError(t, stream.Send(numbered(0, 1)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	eventually(t, func() bool { return len(registry.session(t, 0).seen()) == 1 })
	before := g.logs.AllLogs()[0].ResourceLogs().At(0).Resource().Attributes().AsRaw()
	require.Equal(t, map[string]any{"service.name": "nginx", "service.instance.id": "web-0", "avika.agent.id": "web-0"}, before)
	after := g.logs.AllLogs()[1].ResourceLogs().At(0).Resource().Attributes().AsRaw()
	require.Equal(t, "1.27.0", after["service.version"])
}

// A signature that somebody has overheard is of no use elsewhere.
func TestReplayedSignatureOnTheStream(t *testing.T) {
	g := startRig(t, func(c *Config) { c.PSK.Keys = testKey; c.NetAddr.Endpoint = "0.0.0.0:0" })
	pairs := signedMetadata(testKey, testAgent, "web-01", time.Now())
	first := g.dialSigned(pairs)
	require.NoError(t, first.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })

	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	target := net.JoinHostPort("127.0.0.1", strconv.Itoa(g.receiver.address.(*net.TCPAddr).Port))
	connection, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}))
	require.NoError(t, err)
	defer connection.Close()
	thief, err := agentv1.NewCommanderClient(connection).Connect(metadata.AppendToOutgoingContext(t.Context(), pairs...))
	require.NoError(t, err)
	err = endOf(thief)
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.ErrorContains(t, err, "used before, from another address")
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedReplay))
	require.NoError(t, first.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
}

func TestTwoStreamsWithTheSameID(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	first, second := g.dial(), g.dial()
	for _, stream := range []agentv1.Commander_ConnectClient{first, second, first, second} {
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 4 })
	registry.session(t, 1)
	require.EqualValues(t, 2, g.counted("otelcol_receiver_avika_streams"))
}

func TestTooManyStreams(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Limits.Streams = 2 })
	kept := []agentv1.Commander_ConnectClient{g.dial(), g.dial()}
	for _, stream := range kept {
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	for range 3 {
		require.Equal(t, codes.ResourceExhausted, status.Code(endOf(g.dial())))
	}
	require.EqualValues(t, 3, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedStreams))
	require.EqualValues(t, 3, g.counted("otelcol_receiver_avika_limits_reached", "limit", "streams"))
	require.Equal(t, 1, g.log.FilterMessageSnippet("limits::streams").Len(), "logged once")

	require.NoError(t, kept[0].CloseSend())
	require.ErrorContains(t, endOf(kept[0]), "EOF")
	eventually(t, func() bool { return g.receiver.streams.len() == 1 })
	stream := g.dial()
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 3 })
}

func TestSilentStreamsAreClosed(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Limits.IdleTimeout = time.Second })
	silent, talking := g.dial(), g.dial()
	ended := make(chan error, 1)
	go func() { ended <- endOf(silent) }()
	for done := false; !done; {
		require.NoError(t, talking.Send(heartbeatMessage(&agentv1.Heartbeat{})))
		select {
		case err := <-ended:
			require.Equal(t, codes.DeadlineExceeded, status.Code(err))
			done = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedIdle))
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_limits_reached", "limit", "idle_timeout"))
	require.Equal(t, 1, g.log.FilterMessageSnippet("limits::idle_timeout").Len())
	require.Equal(t, 1, g.receiver.streams.len())
}

// A stream that was not read for long is not silent at the moment at which it is read again.
func TestAPauseIsNoSilence(t *testing.T) {
	r := &avikaReceiver{life: t.Context()}
	s := &stream{receiver: r, idle: make(chan struct{})}
	o := newOutlet(r, t.Context(), s)
	o.room <- struct{}{}
	before := time.Now().UnixNano()
	require.Equal(t, admitted, o.pause(true))
	require.False(t, s.paused.Load())
	set := streamSet{open: map[*stream]struct{}{s: {}}}
	set.closeSilent(before)
	require.Equal(t, 1, set.len())
}

func TestMessagesAreCounted(t *testing.T) {
	g := startRig(t)
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{LogType: "error", Content: "?"})))
	require.NoError(t, stream.Send(&agentv1.AgentMessage{AgentId: testAgent}))
	eventually(t, func() bool { return g.counted("nginx_gateway_messages", "type", "other") == 1 })
	require.EqualValues(t, 1, g.counted("nginx_gateway_messages", "type", "heartbeat"))
	require.EqualValues(t, 2, g.counted("nginx_gateway_messages", "type", "log_entry"))
	eventually(t, func() bool { return g.counted("otelcol_receiver_avika_lines_unparsed", "type", "error") == 1 })
}

// After a pause of the gateway, or when the clock was set, nobody is taken for silent before there was time to read.
func TestALateLookTellsNothing(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	look := lookout{late: 10 * time.Second, last: at}
	for _, step := range []struct {
		after time.Duration
		tells bool
	}{{5 * time.Second, true}, {time.Minute, false}, {5 * time.Second, true}, {-time.Hour, true}, {time.Hour, false}} {
		at = at.Add(step.after)
		require.Equal(t, step.tells, look.tells(at), step.after)
	}
}
