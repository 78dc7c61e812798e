package wire

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func fullEntry() *agentv1.LogEntry {
	return &agentv1.LogEntry{
		Timestamp: 1767225600, LogType: "access", Content: `{"ts":"2026-01-01T00:00:00Z"}`,
		RemoteAddr: "10.1.2.3", RequestMethod: "GET", RequestUri: "/a?b=c", Status: 503, BodyBytesSent: 1 << 40,
		RequestTime: 0.25, RequestId: "abc", UpstreamAddr: "10.0.0.1:80, 10.0.0.2:80", UpstreamStatus: "502, 503",
		UpstreamConnectTime: 0.5, UpstreamHeaderTime: 1.5, UpstreamResponseTime: 2.5,
		Referer: "https://example.com/", UserAgent: string(make([]byte, 300)), XForwardedFor: "192.0.2.1",
	}
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plain is an entry with its texts, for comparison.
type plain struct {
	timestamp, body int64
	status          int32
	times           [4]float32
	texts           [11]string
}

func decoded(e *LogEntry) (p plain) {
	p = plain{timestamp: e.Timestamp, body: e.BodyBytesSent, status: e.Status}
	p.times = [...]float32{e.RequestTime, e.UpstreamConnectTime, e.UpstreamHeaderTime, e.UpstreamResponseTime}
	for i, t := range [...]Text{
		e.LogType, e.Content, e.RemoteAddr, e.RequestMethod, e.RequestURI, e.RequestID, e.UpstreamAddr,
		e.UpstreamStatus, e.Referer, e.UserAgent, e.ForwardedFor,
	} {
		p.texts[i] = string(e.Bytes(t))
	}
	return p
}

// generated is what the generated code makes of an entry.
func generated(m *agentv1.LogEntry) (p plain) {
	p = plain{timestamp: m.GetTimestamp(), body: m.GetBodyBytesSent(), status: m.GetStatus()}
	p.times = [...]float32{m.GetRequestTime(), m.GetUpstreamConnectTime(), m.GetUpstreamHeaderTime(), m.GetUpstreamResponseTime()}
	p.texts = [...]string{
		m.GetLogType(), m.GetContent(), m.GetRemoteAddr(), m.GetRequestMethod(), m.GetRequestUri(), m.GetRequestId(),
		m.GetUpstreamAddr(), m.GetUpstreamStatus(), m.GetReferer(), m.GetUserAgent(), m.GetXForwardedFor(),
	}
	return p
}

func TestLogEntryAgreesWithGeneratedCode(t *testing.T) {
	for name, entry := range map[string]*agentv1.LogEntry{
		"full":     fullEntry(),
		"empty":    {},
		"negative": {Timestamp: -1, Status: -5, BodyBytesSent: math.MinInt64, RequestTime: float32(math.Inf(-1))},
		"huge":     {Timestamp: math.MaxInt64, Status: math.MaxInt32, RequestTime: math.MaxFloat32},
	} {
		t.Run(name, func(t *testing.T) {
			var entryGot LogEntry
			if err := entryGot.Unmarshal(encode(t, entry)); err != nil {
				t.Fatal(err)
			}
			if got, want := decoded(&entryGot), generated(entry); got != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestMessageKinds(t *testing.T) {
	for _, test := range []struct {
		kind    Kind
		message *agentv1.AgentMessage
	}{
		{KindNone, &agentv1.AgentMessage{AgentId: "a", Timestamp: 7}},
		{KindHeartbeat, &agentv1.AgentMessage{AgentId: "a", Timestamp: 7, Payload: &agentv1.AgentMessage_Heartbeat{Heartbeat: &agentv1.Heartbeat{Hostname: "h"}}}},
		{KindCommandResult, &agentv1.AgentMessage{AgentId: "a", Timestamp: 7, Payload: &agentv1.AgentMessage_CommandResult{CommandResult: &agentv1.CommandResult{}}}},
		{KindState, &agentv1.AgentMessage{AgentId: "a", Timestamp: 7, Payload: &agentv1.AgentMessage_State{State: &agentv1.StateSnapshot{}}}},
		{KindLogEntry, &agentv1.AgentMessage{AgentId: "a", Timestamp: 7, Payload: &agentv1.AgentMessage_LogEntry{LogEntry: fullEntry()}}},
		{KindMetrics, &agentv1.AgentMessage{AgentId: "a", Timestamp: 7, Payload: &agentv1.AgentMessage_Metrics{Metrics: &agentv1.NginxMetrics{}}}},
	} {
		var got Message
		if err := got.Unmarshal(encode(t, test.message)); err != nil {
			t.Fatal(err)
		}
		if got.Kind != test.kind || string(got.AgentID) != "a" || got.Timestamp != 7 {
			t.Errorf("kind %d: got %+v", test.kind, got)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := protowire.AppendTag(nil, 99, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, 1)
	b = protowire.AppendTag(b, 98, protowire.StartGroupType)
	b = protowire.AppendTag(b, 98, protowire.EndGroupType)
	b = protowire.AppendTag(b, 97, protowire.BytesType)
	b = protowire.AppendString(b, "later")
	b = append(b, encode(t, &agentv1.AgentMessage{AgentId: "a"})...)
	var got Message
	if err := got.Unmarshal(b); err != nil || string(got.AgentID) != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSplitPayloadIsMerged(t *testing.T) {
	one := encode(t, &agentv1.AgentMessage{Payload: &agentv1.AgentMessage_LogEntry{LogEntry: &agentv1.LogEntry{Status: 200}}})
	two := encode(t, &agentv1.AgentMessage{Payload: &agentv1.AgentMessage_LogEntry{LogEntry: &agentv1.LogEntry{Content: "x"}}})
	var message Message
	var entry LogEntry
	if err := message.Unmarshal(append(one, two...)); err != nil {
		t.Fatal(err)
	}
	if err := entry.Unmarshal(message.Payload); err != nil || entry.Status != 200 || string(entry.Bytes(entry.Content)) != "x" {
		t.Errorf("got %+v, %v", entry, err)
	}
}

func TestTruncatedMessagesAreMalformed(t *testing.T) {
	whole := encode(t, fullEntry())
	var entry LogEntry
	for n := range whole {
		err := entry.Unmarshal(whole[:n])
		var reference agentv1.LogEntry
		if want := proto.Unmarshal(whole[:n], &reference); (err != nil) != (want != nil) {
			t.Errorf("first %d bytes: %v, generated code says %v", n, err, want)
		}
	}
}

func TestUnmarshalDoesNotAllocate(t *testing.T) {
	b := encode(t, &agentv1.AgentMessage{AgentId: "a", Timestamp: 1, Payload: &agentv1.AgentMessage_LogEntry{LogEntry: fullEntry()}})
	var message Message
	var entry LogEntry
	if n := testing.AllocsPerRun(100, func() {
		if message.Unmarshal(b) != nil || entry.Unmarshal(message.Payload) != nil {
			t.Fatal("malformed")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzLogEntry(f *testing.F) {
	whole := encode(f, fullEntry())
	f.Add(whole)
	f.Add(append(whole[:40:40], 0xff, 0xff, 0xff))
	f.Add([]byte{0x0b, 0x0c, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got LogEntry
		err := got.Unmarshal(b)
		var reference agentv1.LogEntry
		if proto.Unmarshal(b, &reference) != nil {
			return // the generated code also refuses invalid UTF-8, which is accepted here
		}
		if err != nil {
			t.Fatalf("generated code accepts %x: %v", b, err)
		}
		got1, want := decoded(&got), generated(&reference)
		for i := range want.times { // NaN differs from itself
			got1.times[i], want.times[i] = 0, 0
		}
		if got1 != want {
			t.Fatalf("got %+v, want %+v", got1, want)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add(encode(f, &agentv1.AgentMessage{AgentId: "a", Timestamp: 1, Payload: &agentv1.AgentMessage_LogEntry{LogEntry: fullEntry()}}))
	f.Add(encode(f, &agentv1.AgentMessage{AgentId: "a", Payload: &agentv1.AgentMessage_Heartbeat{Heartbeat: &agentv1.Heartbeat{Labels: map[string]string{"a": "b"}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got Message
		err := got.Unmarshal(b)
		var reference agentv1.AgentMessage
		if proto.Unmarshal(b, &reference) != nil {
			return
		}
		if err != nil || string(got.AgentID) != reference.GetAgentId() || got.Timestamp != reference.GetTimestamp() {
			t.Fatalf("got %+v, %v, want %v", got, err, &reference)
		}
	})
}

func BenchmarkLogEntry(b *testing.B) {
	whole := encode(b, &agentv1.AgentMessage{AgentId: "web-01-10-0-2-15", Timestamp: 1, Payload: &agentv1.AgentMessage_LogEntry{LogEntry: fullEntry()}})
	var message Message
	var entry LogEntry
	b.SetBytes(int64(len(whole)))
	b.ReportAllocs()
	for b.Loop() {
		if message.Unmarshal(whole) != nil || entry.Unmarshal(message.Payload) != nil {
			b.Fatal("malformed")
		}
	}
}

func TestHeartbeatDigest(t *testing.T) {
	digest := func(m *agentv1.Heartbeat) uint64 {
		b, err := proto.Marshal(m)
		require.NoError(t, err)
		d, uptime, ok := HeartbeatDigest(b)
		require.True(t, ok)
		require.Equal(t, m.Uptime, uptime)
		return d
	}
	beat := func(change func(*agentv1.Heartbeat)) uint64 {
		m := &agentv1.Heartbeat{Hostname: "h", Version: "1", Uptime: 1, PodIp: "10.0.0.1", Labels: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}}
		change(m)
		return digest(m)
	}
	want := beat(func(*agentv1.Heartbeat) {})
	for i := range 50 { // maps are encoded in another order each time
		require.Equal(t, want, beat(func(m *agentv1.Heartbeat) { m.Uptime = float64(i) }))
	}
	for name, change := range map[string]func(*agentv1.Heartbeat){
		"host": func(m *agentv1.Heartbeat) { m.Hostname = "i" }, "version": func(m *agentv1.Heartbeat) { m.Version = "" },
		"swapped": func(m *agentv1.Heartbeat) { m.Hostname, m.Version = "1", "h" }, "pod": func(m *agentv1.Heartbeat) { m.IsPod = true },
		"label": func(m *agentv1.Heartbeat) { m.Labels["a"] = "2" }, "fewer": func(m *agentv1.Heartbeat) { delete(m.Labels, "a") },
		"none": func(m *agentv1.Heartbeat) { m.Labels = nil },
	} {
		require.NotEqual(t, want, beat(change), name)
	}
	for _, b := range [][]byte{{0xff}, {0x0a, 5, 'x'}, {0x07}} {
		_, _, ok := HeartbeatDigest(b)
		require.False(t, ok)
	}
}
