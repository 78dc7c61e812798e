package traffic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const testTime = 1771234567_089

func message(t *testing.T, w *Writer, seq uint64, unixMilli int64) (*agentv1.AgentMessage, Facts) {
	t.Helper()
	buf := make([]byte, w.Size(seq))
	facts := w.Write(buf, seq, unixMilli)
	m := new(agentv1.AgentMessage)
	if err := proto.Unmarshal(buf, m); err != nil {
		t.Fatalf("message %d does not decode: %v", seq, err)
	}
	return m, facts
}

// TestMessagesAreWhatAnAgentWouldSend reads each message's content again as an agent does: the same entry must come out.
func TestMessagesAreWhatAnAgentWouldSend(t *testing.T) {
	for _, format := range []nginxlog.Format{nginxlog.JSON, nginxlog.Combined} {
		t.Run(string(format), func(t *testing.T) {
			w := NewWriter(NewSet(1, format), 0xabcd, 7, "web-00007-10-0-0-7")
			for seq := range uint64(rows) {
				at := int64(testTime + seq*37)
				m, facts := message(t, w, seq, at)
				if m.AgentId != "web-00007-10-0-0-7" || m.Timestamp != at/1000 {
					t.Fatalf("agent %q at %d", m.AgentId, m.Timestamp)
				}
				got := m.GetLogEntry()
				want := format.Access([]byte(got.Content), time.Unix(0, 0))
				if !proto.Equal(got, want) || got.Timestamp != at/1000 {
					t.Fatalf("got  %v\nwant %v", got, want)
				}
				if facts.Status != got.Status || facts.BodyBytes != got.BodyBytesSent {
					t.Fatalf("facts %+v of %v", facts, got)
				}
			}
		})
	}
}

func TestContentHoldsMillisecondsAndID(t *testing.T) {
	w := NewWriter(NewSet(1, nginxlog.JSON), 0xabcd, 7, "a")
	m, _ := message(t, w, 255, testTime)
	var line struct {
		Time  string  `json:"ts"`
		Msec  float64 `json:"msec"`
		ID    string  `json:"req_id"`
		Proto string  `json:"proto"`
	}
	if err := json.Unmarshal([]byte(m.GetLogEntry().Content), &line); err != nil {
		t.Fatal(err)
	}
	if line.Time != "2026-02-16T09:36:07+00:00" || line.Msec != 1771234567.089 || line.Proto == "" {
		t.Errorf("line %+v", line)
	}
	want := "0000abcd" + "00000007" + "00000000000000ff"
	if line.ID != want || m.GetLogEntry().RequestId != want {
		t.Errorf("id %q, want %q", line.ID, want)
	}
}

func TestIDsAreUnique(t *testing.T) {
	set := NewSet(1, nginxlog.Combined)
	seen := map[string]bool{}
	for agent := range uint32(3) {
		w := NewWriter(set, 1, agent, fmt.Sprint(agent))
		for seq := range uint64(2 * rows) {
			m, _ := message(t, w, seq, testTime)
			_, id, _ := strings.Cut(m.GetLogEntry().RequestUri, "rid=")
			if len(id) != 32 || seen[id] {
				t.Fatalf("id %q is too short or not unique", id)
			}
			seen[id] = true
		}
	}
}

func TestSeedDecidesRows(t *testing.T) {
	text := func(seed uint64) string {
		m, _ := message(t, NewWriter(NewSet(seed, nginxlog.JSON), 1, 1, "a"), 5, testTime)
		return m.GetLogEntry().Content
	}
	first, again, other := text(1), text(1), text(2)
	if first != again || first == other {
		t.Error("rows must depend on the seed alone")
	}
}

// TestTrafficIsRealistic pins shares that tests of other parts rely on.
func TestTrafficIsRealistic(t *testing.T) {
	set := NewSet(42, nginxlog.JSON)
	w := NewWriter(set, 1, 1, "a")
	class, several, lists := map[int]int{}, 0, 0
	for seq := range uint64(rows) {
		m, facts := message(t, w, seq, testTime)
		class[int(facts.Status)/100]++
		if e := m.GetLogEntry(); strings.Contains(e.UpstreamAddr, ", ") {
			several++
			if e.UpstreamResponseTime != 0 {
				lists++
			}
		}
	}
	if class[2] < rows*7/10 || class[4] == 0 || class[5] == 0 || class[3] == 0 {
		t.Errorf("statuses %v", class)
	}
	if several < rows/100 || lists > 0 {
		t.Errorf("%d requests with several attempts, %d of them with a parsed time", several, lists)
	}
	if n := set.MeanSize(); n < 500 || n > 1200 {
		t.Errorf("mean size %d", n)
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	w := NewWriter(NewSet(1, nginxlog.JSON), 1, 1, "web-00001-10-0-0-1")
	buf := make([]byte, 4096)
	seq := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		w.Write(buf[:w.Size(seq)], seq, testTime)
		seq++
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	w := NewWriter(NewSet(1, nginxlog.JSON), 1, 1, "web-00001-10-0-0-1")
	buf := make([]byte, 4096)
	b.SetBytes(int64(w.set.MeanSize()))
	b.ReportAllocs()
	for seq := uint64(0); b.Loop(); seq++ {
		w.Write(buf[:w.Size(seq)], seq, testTime+int64(seq/100))
	}
}

// BenchmarkMarshal is the same message through generated code, for comparison.
func BenchmarkMarshal(b *testing.B) {
	w := NewWriter(NewSet(1, nginxlog.JSON), 1, 1, "web-00001-10-0-0-1")
	buf := make([]byte, w.Size(1))
	w.Write(buf, 1, testTime)
	m := new(agentv1.AgentMessage)
	if err := proto.Unmarshal(buf, m); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], m)
	}
}

func TestAppendLogEntryEqualsGeneratedCode(t *testing.T) {
	w := NewWriter(NewSet(1, nginxlog.JSON), 1, 1, "a")
	m, _ := message(t, w, 3, testTime)
	again := new(agentv1.LogEntry)
	if err := proto.Unmarshal(wireform.AppendLogEntry(nil, m.GetLogEntry()), again); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(again, m.GetLogEntry()) {
		t.Errorf("got %v", again)
	}
}
