package wireform

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func message(e *agentv1.LogEntry) []byte {
	return AppendMessage(nil, "web-01", 1_800_000_000, FieldLogEntry, AppendLogEntry(nil, e))
}

// TestSameBytesAsGeneratedCode compares whole messages with every field set, with none, and with negative numbers.
func TestSameBytesAsGeneratedCode(t *testing.T) {
	for _, e := range []*agentv1.LogEntry{
		{},
		{Timestamp: -1, Status: -1, BodyBytesSent: -5, RequestTime: -0.5},
		{
			Timestamp: 1, LogType: "access", Content: "c", RemoteAddr: "r", RequestMethod: "GET", RequestUri: "/", Status: 200,
			BodyBytesSent: 1 << 40, RequestTime: 0.25, RequestId: "i", UpstreamAddr: "a", UpstreamStatus: "200",
			UpstreamConnectTime: 0.1, UpstreamHeaderTime: 0.2, UpstreamResponseTime: 0.3, Referer: "ref", UserAgent: "ua",
			XForwardedFor: "x",
		},
	} {
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&agentv1.AgentMessage{
			AgentId: "web-01", Timestamp: 1_800_000_000, Payload: &agentv1.AgentMessage_LogEntry{LogEntry: e},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := message(e); !bytes.Equal(got, want) {
			t.Errorf("got  %x\nwant %x", got, want)
		}
	}
}

func TestBytesThatAreNotUTF8AreKept(t *testing.T) {
	if b := message(&agentv1.LogEntry{Content: "a\xff\x00b", UserAgent: "\xc3"}); !bytes.Contains(b, []byte("a\xff\x00b")) {
		t.Errorf("message %x", b)
	}
}

func TestAppendPayload(t *testing.T) {
	b, err := AppendPayload(nil, "web-01", 5, FieldHeartbeat, &agentv1.Heartbeat{Hostname: "h"})
	if err != nil {
		t.Fatal(err)
	}
	m := new(agentv1.AgentMessage)
	if err := proto.Unmarshal(b, m); err != nil || m.GetHeartbeat().GetHostname() != "h" || m.Timestamp != 5 {
		t.Errorf("message %v, %v", m, err)
	}
	if _, err := AppendPayload(nil, "web-01", 5, FieldHeartbeat, &agentv1.Heartbeat{Hostname: "\xff"}); err == nil {
		t.Error("no error for a host name that is not UTF-8")
	}
}
