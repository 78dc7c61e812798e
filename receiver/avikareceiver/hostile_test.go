package avikareceiver

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestHugeHeaders(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	check()
	connection, err := grpc.NewClient(g.receiver.address.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	huge := metadata.AppendToOutgoingContext(t.Context(), "x-avika-hostname", strings.Repeat("h", 1<<20))
	_, err = agentv1.NewCommanderClient(connection).Connect(huge, grpc.WaitForReady(true)) // the receiver has told its limit
	require.ErrorContains(t, err, "violates the maximum size")
	require.NoError(t, g.dialSigned([]string{"x-avika-hostname", strings.Repeat("h", maxHeaders/2)}).Send(numbered(1, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	check()
}

// bystander is a well-behaved agent that must not notice what others do.
func (g *rig) bystander() (check func()) {
	stream := g.dial()
	n := 0
	return func() {
		before := g.logs.LogRecordCount()
		require.NoError(g.t, stream.Send(withID("bystander", numbered(99, n))))
		n++
		eventually(g.t, func() bool { return g.logs.LogRecordCount() > before })
	}
}

// dialRaw opens a stream that sends bytes.
func (g *rig) dialRaw(options ...grpc.CallOption) grpc.ClientStream {
	connection, err := grpc.NewClient(g.receiver.address.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = connection.Close() })
	stream, err := connection.NewStream(g.t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		agentv1.Commander_Connect_FullMethodName, append(options, grpc.ForceCodecV2(preEncoded{}))...)
	require.NoError(g.t, err)
	return stream
}

func endOfRaw(stream grpc.ClientStream) error {
	for {
		var ignored []byte
		if err := stream.RecvMsg(&ignored); err != nil {
			return err
		}
	}
}

func TestMalformedMessagesAreSkipped(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	check()
	good := mustMarshal(numbered(0, 0))
	heartbeat := mustMarshal(withID("web-0", heartbeatMessage(&agentv1.Heartbeat{Hostname: "h"})))
	badUTF8 := protowire.AppendString(protowire.AppendTag(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "web-0"), 3, protowire.BytesType), "\x0a\x01\xff")
	stream := g.dialRaw()
	for _, message := range [][]byte{
		good,
		{0xff, 0xff},
		good[:len(good)-3], append(append([]byte{}, good...), 0xff, 0xff, 0x01), heartbeat[:len(heartbeat)-1], badUTF8,
		mustMarshal(numbered(0, 1)),
	} {
		require.NoError(t, stream.SendMsg(message))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 3 })
	check()
	eventually(t, func() bool {
		return g.counted("otelcol_receiver_avika_messages_refused", "reason", refusedMalformed) == 5
	})
}

func TestStreamOfGarbageIsClosed(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	random := rand.New(rand.NewPCG(1, 2))
	stream := g.dialRaw()
	for range 10 * maxMalformed {
		garbage := make([]byte, 1+random.IntN(2000))
		for i := range garbage {
			garbage[i] = byte(random.Uint32()) | 0x80
		}
		if stream.SendMsg(garbage) != nil {
			break
		}
	}
	require.Equal(t, codes.InvalidArgument, status.Code(endOfRaw(stream)))
	check()
	require.EqualValues(t, maxMalformed+1, g.counted("otelcol_receiver_avika_messages_refused", "reason", refusedMalformed))
	require.Equal(t, 1, g.log.FilterMessageSnippet("Refused a message").Len(), "logged once")
}

func TestMessageThatIsTooLarge(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	line := strings.Repeat("x", 3<<20)
	stream := g.dial()
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{LogType: "access", Content: line})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	body := g.logs.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()
	require.Len(t, body, len(line), "a line of 3 MiB is kept whole")

	_ = stream.Send(logMessage(&agentv1.LogEntry{LogType: "access", Content: strings.Repeat("x", 4<<20)}))
	require.Equal(t, codes.ResourceExhausted, status.Code(endOf(stream)))
	check()
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedSize))
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_limits_reached", "limit", "max_recv_msg_size_mib"))
	require.Equal(t, testAgent, g.logged(refusedSize)["agent_id"])
}

func TestStrangeValues(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	stream := g.dial()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	entries := []*agentv1.LogEntry{
		{Timestamp: math.MaxInt64, Status: math.MinInt32, BodyBytesSent: math.MinInt64, RequestTime: nan, RequestMethod: "GET"},
		{Timestamp: math.MinInt64, Status: math.MaxInt32, BodyBytesSent: math.MaxInt64, RequestTime: inf, RequestMethod: "\x00\x1b[2J", RequestUri: "\x00"},
		{Status: 0, RequestMethod: "GET"},
		{Status: 9, RequestMethod: "GET"},
		{Status: 700, RequestMethod: "GET"},
		{LogType: "access", Content: `{"msec":"99999999999999999999.1","status":1e99,"rt":NaN}`},
		{LogType: "error", Content: "2026/01/02 03:04:05 [error] 99999999999999999999#-1: *x \x1b]0;pwned\x07"},
		{},
		{LogType: strings.Repeat("t", 1000), Content: "\x00"},
	}
	for _, entry := range entries {
		require.NoError(t, stream.Send(logMessage(entry)))
	}
	require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: math.MinInt64, System: &agentv1.SystemMetrics{CpuUsagePercent: nan, MemoryTotalBytes: math.MaxUint64}})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == len(entries) && g.metrics.DataPointCount() > 0 })
	check()
	require.Positive(t, g.counted("otelcol_receiver_avika_values_refused"))
	require.NoError(t, stream.CloseSend())
	require.ErrorContains(t, endOf(stream), "EOF")
}

func TestAMillionLabelsOnTheWire(t *testing.T) {
	g := startRig(t, func(c *Config) { c.MaxRecvMsgSizeMiB = 64 })
	check := g.bystander()
	labels := func(n int) map[string]string {
		m := make(map[string]string, n)
		for i := range n {
			m[fmt.Sprint(i)] = "x"
		}
		return m
	}
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{Hostname: "h", Labels: labels(50_000)})))
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{Labels: labels(1_000_000)})))
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	check()
	require.Eventually(t, func() bool { return g.counted("otelcol_receiver_avika_messages_refused", "reason", refusedSize) == 1 }, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_limits_reached", "limit", "labels"))
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_limits_reached", "limit", "report"))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	kept := 0
	for _, logs := range g.logs.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			kept = max(kept, resource.Resource().Attributes().Len())
		}
	}
	require.Equal(t, 4+64, kept, "the agent is still who it was, with the labels that are kept")
}

func compressedIf(compressed bool) []grpc.CallOption {
	if !compressed {
		return nil
	}
	return []grpc.CallOption{grpc.UseCompressor(gzip.Name)}
}

func TestCompressedMessages(t *testing.T) {
	g := startRig(t)
	stream := g.dialRaw(grpc.UseCompressor(gzip.Name))
	for n := range 100 {
		require.NoError(t, stream.SendMsg(mustMarshal(numbered(0, n))))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 100 })
	g.requireAllOnce(1, 100)
}

func TestHTTP1AndOtherMistakes(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	check()
	address := g.receiver.address.String()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	require.NoError(t, err)
	if response, err := http.DefaultClient.Do(request); err == nil { // HTTP/1 is not answered with a page
		require.NotEqual(t, http.StatusOK, response.StatusCode)
		_ = response.Body.Close()
	}
	_, err = tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	require.Error(t, err, "TLS to a plaintext port")

	for _, garbage := range []string{"", "\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\xff", 100), strings.Repeat("A", 1<<20)} {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err)
		_, _ = connection.Write([]byte(garbage))
		require.NoError(t, connection.Close())
	}
	eventually(t, func() bool {
		return g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedTLSToPlaintext) == 1 &&
			g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedNotHTTP2) == 2
	})
	for _, reason := range []string{refusedTLSToPlaintext, refusedNotHTTP2} {
		require.Contains(t, g.logged(reason)["address"], "127.0.0.1:")
	}
	half := g.dialRaw()
	require.NoError(t, half.CloseSend(), "a stream that sends nothing")
	require.ErrorContains(t, endOfRaw(half), "EOF")
	check()
}

func TestTenThousandConnectsAtOnce(t *testing.T) {
	g := startRig(t)
	check := g.bystander()
	check()
	load{Address: g.receiver.address.String(), Connects: 10_000}.start(t)() // in a process of its own: each end is a file
	check()
}

// FuzzStream feeds messages to a stream's decoder without a network.
func FuzzStream(f *testing.F) {
	f.Add(mustMarshal(numbered(0, 0)))
	f.Add(mustMarshal(heartbeatMessage(&agentv1.Heartbeat{Hostname: "h", Labels: map[string]string{"a": "b"}})))
	f.Add(mustMarshal(metricsMessage(&agentv1.NginxMetrics{TotalRequests: 1, System: &agentv1.SystemMetrics{}})))
	f.Add(append(mustMarshal(numbered(0, 0)), 0xff))
	g := newRig(&testing.T{}, func(c *Config) { c.Batch.Timeout = time.Hour; c.Limits.PendingBytes = math.MaxInt })
	set := g.settings
	r, err := newReceiver(g.config, set)
	require.NoError(f, err)
	r.translation.Logs, r.translation.Metrics, r.translation.Labels = true, true, 64
	f.Cleanup(func() { require.NoError(f, r.shutdown(context.Background())) })
	f.Fuzz(func(_ *testing.T, message []byte) {
		s := &stream{receiver: r, counts: r.telemetry.counts(0)}
		s.outlet = newOutlet(r, context.Background(), s)
		_, _ = s.Take(message, true)
		if s.outlet.timer != nil {
			s.outlet.timer.Stop()
		}
		r.pending.release(s.outlet.pending.reserved)
	})
}
