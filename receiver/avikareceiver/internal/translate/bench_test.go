package translate

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// benchEntries make about 600 bytes each and hold everything that becomes an attribute.
func benchEntries(n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entry := &agentv1.LogEntry{
			Timestamp: 1767225600 + int64(i), LogType: "access", RemoteAddr: fmt.Sprintf("192.0.2.%d", i%250), RequestMethod: "GET",
			RequestUri: fmt.Sprintf("/p/%d?r=s", 1000+i), Status: 200, BodyBytesSent: int64(512 + i), RequestTime: 0.123,
			RequestId:    fmt.Sprintf("%032x", 0x1234567890abcdef*uint64(i+1)),
			UpstreamAddr: "10.0.0.1:80", UpstreamStatus: "200", UpstreamConnectTime: 0.001, UpstreamHeaderTime: 0.12,
			UpstreamResponseTime: 0.121, Referer: "https://e.com/", UserAgent: "Mozilla/5.0 (X11) Gecko", XForwardedFor: "198.51.100.7",
		}
		entry.Content = fmt.Sprintf(`{"ts":"2026-01-01T00:00:%02d.%03dZ","req_id":"%s","client":"%s","xff":"%s","method":"GET","path":"%s","status":200,`+
			`"bytes":%d,"sent":%d,"rt":0.123,"uct":"0.001","uht":"0.120","urt":"0.121","upstream":"%s","ustatus":"200","referer":"%s","ua":"%s",`+
			`"host":"e.com","scheme":"https","proto":"HTTP/1.1","cache":"MISS"}`,
			i%60, i%1000, entry.RequestId, entry.RemoteAddr, entry.XForwardedFor, entry.RequestUri, entry.BodyBytesSent, entry.BodyBytesSent+200,
			entry.UpstreamAddr, entry.Referer, entry.UserAgent)
		encoded, err := proto.Marshal(entry)
		if err != nil {
			panic(err)
		}
		entries[i] = Entry{Encoded: encoded, Queued: entry.Timestamp, Received: 1767225700e9}
	}
	return entries
}

// BenchmarkTranslate measures what an entry costs after gRPC. An operation is one entry of a batch.
func BenchmarkTranslate(b *testing.B) {
	for name, settings := range map[string]Settings{"logs": {Logs: true}, "logs and spans": {Logs: true, Spans: true}} {
		b.Run(name, func(b *testing.B) { benchmarkTranslate(b, &settings, false) })
	}
	b.Run("logs in memory used again", func(b *testing.B) { benchmarkTranslate(b, &Settings{Logs: true}, true) })
}

// benchmarkTranslate takes entries in as the receiver does, which keeps them until they are translated.
func benchmarkTranslate(b *testing.B, settings *Settings, reuse bool) {
	const size = 250
	entries := benchEntries(size)
	total := 0
	for i := range entries {
		total += len(entries[i].Encoded)
	}
	kept := make([]Entry, size)
	translator := NewTranslator(settings, reuse)
	segments := []Segment{{Resource: NewAgent(settings, "web-01-10-0-2-15").Resource()}}
	b.ReportAllocs()
	b.SetBytes(int64(len(entries[0].Encoded)))
	for i := 0; i < b.N; i += size {
		var room Room
		for j := range entries {
			kept[j] = entries[j]
			kept[j].Encoded = room.Keep(entries[j].Encoded, total)
		}
		translator.Translate(Batch{kept, segments})
		room.Release()
		if reuse {
			translator.Done(true)
		}
	}
}

// BenchmarkSamples measures what a sample costs from its message to metrics. An operation is one sample of a call with those of 200 agents.
func BenchmarkSamples(b *testing.B) {
	const size = 200
	settings := Settings{Metrics: true, Labels: 64}
	message := fullSample()
	message.Labels = map[string]string{"project": "shop", "environment": "production"}
	message.LatencyDistribution = nil
	for le := range 12 {
		message.LatencyDistribution = append(message.LatencyDistribution, &agentv1.HistogramBucket{Le: float32(le), Count: 9})
	}
	encoded, err := proto.Marshal(message)
	if err != nil {
		b.Fatal(err)
	}
	var agents [size]*Agent
	var lists [size][]Sample
	for i := range agents {
		agents[i] = NewAgent(&settings, fmt.Sprintf("web-%d-10-0-2-15", i))
		agents[i].Heartbeat(1, &agentv1.Heartbeat{Labels: message.Labels})
	}
	translator := NewTranslator(&settings, false)
	var decoded wire.Metrics
	b.ReportAllocs()
	b.SetBytes(int64(len(encoded)))
	for i := 0; i < b.N; i += size {
		for j := range agents {
			if decoded.Unmarshal(encoded) != nil {
				b.Fatal("malformed")
			}
			lists[j] = agents[j].AddSample(lists[j][:0], &decoded, int64(i+1), 1767225700e9)
		}
		if _, counts := translator.Metrics(lists[:]...); counts.Points == 0 {
			b.Fatal("no points")
		}
	}
}
