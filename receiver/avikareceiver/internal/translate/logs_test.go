package translate

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const (
	testQueued   = 1767323045
	testReceived = 1767323050_000000007
)

var allSettings = Settings{Logs: true, Metrics: true, Spans: true, Labels: 64, Version: "1.2.3"}

func encoded(t testing.TB, entry *agentv1.LogEntry) Entry {
	t.Helper()
	b, err := proto.Marshal(entry)
	require.NoError(t, err)
	return Entry{Encoded: b, Queued: testQueued, Received: testReceived}
}

func translateWith(settings *Settings, entries ...Entry) (plog.Logs, ptrace.Traces, Counts) {
	agent := NewAgent(settings, "web-01-10-0-2-15")
	return NewTranslator(settings, false).Translate(Batch{entries, []Segment{{Resource: agent.Resource()}}})
}

// one translates an entry and returns its record.
func one(t testing.TB, entry *agentv1.LogEntry) plog.LogRecord {
	t.Helper()
	logs, _, _ := translateWith(&allSettings, encoded(t, entry))
	require.Equal(t, 1, logs.LogRecordCount())
	return logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
}

const jsonLine = `{"ts":"2026-01-02T03:04:05.678Z","req_id":"0123456789abcdef0123456789abcdef","client":"192.0.2.1","xff":"198.51.100.1, 10.1.1.1","method":"POST","path":"/a/b?c=d&e","status":503,"bytes":12,"sent":345,"rt":0.123,"uct":"0.001, - : 0.002","uht":"0.010, - : 0.020","urt":"0.011, 0.050 : 0.021","upstream":"10.0.0.1:80, unix:/s.sock : [fd00::1]:8080","ustatus":"502, - : 503","referer":"http://r/","ua":"Mozilla","host":"example.com:8443","scheme":"https","proto":"HTTP/2.0","cache":"MISS"}`

// jsonAttributes is what jsonLine becomes without trusted proxies.
func jsonAttributes() map[string]any {
	return map[string]any{
		"http.request.method": "POST", "url.path": "/a/b", "url.query": "c=d&e", "url.scheme": "https",
		"http.response.status_code": int64(503), "error.type": "503", "http.response.body.size": int64(12), "http.response.size": int64(345),
		"network.peer.address": "192.0.2.1", "client.address": "192.0.2.1", "server.address": "example.com", "server.port": int64(8443),
		"network.protocol.version": "2", "user_agent.original": "Mozilla", "http.request.header.referer": "http://r/",
		"http.request.header.x-forwarded-for": "198.51.100.1, 10.1.1.1", "nginx.request.id": "0123456789abcdef0123456789abcdef",
		"nginx.request.time": 0.123, "nginx.cache.status": "MISS",
		"nginx.upstream.address":       []any{"10.0.0.1:80", "unix:/s.sock", "[fd00::1]:8080"},
		"nginx.upstream.status":        []any{int64(502), int64(0), int64(503)},
		"nginx.upstream.connect.time":  []any{0.001, -1.0, 0.002},
		"nginx.upstream.header.time":   []any{0.01, -1.0, 0.02},
		"nginx.upstream.response.time": []any{0.011, 0.05, 0.021},
	}
}

func TestAccessRecord(t *testing.T) {
	parsed := &agentv1.LogEntry{
		Timestamp: testQueued, LogType: "access", Content: jsonLine, RemoteAddr: "192.0.2.1", RequestMethod: "POST", RequestUri: "/a/b?c=d&e",
		Status: 503, BodyBytesSent: 12, RequestTime: 0.123, RequestId: "0123456789abcdef0123456789abcdef", Referer: "http://r/", UserAgent: "Mozilla",
		UpstreamAddr: "10.0.0.1:80, unix:/s.sock : [fd00::1]:8080", UpstreamStatus: "502, - : 503", XForwardedFor: "198.51.100.1, 10.1.1.1",
	}
	unparsed := &agentv1.LogEntry{Timestamp: testQueued + 99, LogType: "access", Content: jsonLine}
	for name, entry := range map[string]*agentv1.LogEntry{"that the agent parsed": parsed, "that the agent could not parse": unparsed} {
		t.Run(name, func(t *testing.T) {
			record := one(t, entry)
			require.Equal(t, jsonAttributes(), record.Attributes().AsRaw())
			require.Equal(t, jsonLine, record.Body().Str())
			require.Equal(t, nginxsemconv.EventAccess, record.EventName())
			require.Equal(t, "2026-01-02T03:04:05.678Z", record.Timestamp().AsTime().Format(time.RFC3339Nano))
			require.Equal(t, pcommon.Timestamp(testReceived), record.ObservedTimestamp())
			require.Equal(t, plog.SeverityNumberError, record.SeverityNumber())
			require.Equal(t, "ERROR", record.SeverityText())
			require.Equal(t, "0123456789abcdef0123456789abcdef", record.TraceID().String())
		})
	}
}

func TestScopeAndSchema(t *testing.T) {
	logs, traces, _ := translateWith(&allSettings, encoded(t, &agentv1.LogEntry{Content: jsonLine}))
	require.True(t, logs.IsReadOnly())
	resource := logs.ResourceLogs().At(0)
	require.Equal(t, schema, resource.SchemaUrl())
	require.Equal(t, schema, resource.ScopeLogs().At(0).SchemaUrl())
	require.Equal(t, nginxsemconv.ScopeName, resource.ScopeLogs().At(0).Scope().Name())
	require.Equal(t, "1.2.3", resource.ScopeLogs().At(0).Scope().Version())
	require.True(t, traces.IsReadOnly())
	require.Equal(t, schema, traces.ResourceSpans().At(0).SchemaUrl())
	require.Equal(t, schema, traces.ResourceSpans().At(0).ScopeSpans().At(0).SchemaUrl())
	require.Equal(t, nginxsemconv.ScopeName, traces.ResourceSpans().At(0).ScopeSpans().At(0).Scope().Name())
	require.Equal(t, resource.Resource().Attributes().AsRaw(), traces.ResourceSpans().At(0).Resource().Attributes().AsRaw())
}

// The mapping names the version.
const schema = "https://opentelemetry.io/schemas/1.40.0"

func TestMillisecondsComeFromTheLine(t *testing.T) {
	for line, want := range map[string]string{
		`{"msec":"1767323045.678","status":200}`:                     "2026-01-02T03:04:05.678Z",
		`{"msec":1767323045.678,"status":200}`:                       "2026-01-02T03:04:05.678Z",
		`{"ts":"2026-01-02T04:04:05.678+01:00","status":200}`:        "2026-01-02T03:04:05.678Z",
		`{"ts":"2026-01-02T03:04:05Z","msec":"1767323045.678"}`:      "2026-01-02T03:04:05.678Z",
		`{"ts":"2026-01-02T03:04:09Z","status":200}`:                 "2026-01-02T03:04:05Z",
		`{"msec":"-1.5","ts":"2026-13-40T03:04:05.1Z","status":200}`: "2026-01-02T03:04:05Z",
	} {
		record := one(t, &agentv1.LogEntry{Timestamp: testQueued, LogType: "access", Content: line, RequestMethod: "GET", Status: 200})
		require.Equal(t, want, record.Timestamp().AsTime().Format(time.RFC3339Nano), line)
	}
}

// Without content, or with content that says no more, the agent's fields are enough.
func TestAgentsFieldsAlone(t *testing.T) {
	record := one(t, &agentv1.LogEntry{
		Timestamp: testQueued, LogType: "access", RemoteAddr: "unix:", RequestMethod: "PURGE", RequestUri: "/x?", Status: 404, BodyBytesSent: 0,
		RequestTime: 0.1, UpstreamAddr: "10.0.0.1:80", UpstreamStatus: "404", UpstreamConnectTime: 0.001, UpstreamHeaderTime: 0.25, UpstreamResponseTime: 1.005,
		Referer: "-", UserAgent: "-", RequestId: "-",
	})
	require.Equal(t, map[string]any{
		"http.request.method": "_OTHER", "http.request.method_original": "PURGE", "url.path": "/x", "url.query": "",
		"http.response.status_code": int64(404), "http.response.body.size": int64(0), "network.peer.address": "unix:", "client.address": "unix:",
		"nginx.request.time": 0.1, "nginx.upstream.address": []any{"10.0.0.1:80"}, "nginx.upstream.status": []any{int64(404)},
		"nginx.upstream.connect.time": []any{0.001}, "nginx.upstream.header.time": []any{0.25}, "nginx.upstream.response.time": []any{1.005},
	}, record.Attributes().AsRaw())
	require.Equal(t, plog.SeverityNumberWarn, record.SeverityNumber())
	require.Equal(t, pcommon.Timestamp(testQueued*1e9), record.Timestamp())
	require.True(t, record.TraceID().IsEmpty())
}

// NGINX writes lists where there were several attempts; the agent cannot read them and reports zeros, which are no times.
func TestAgentsZerosForSeveralAttempts(t *testing.T) {
	record := one(t, &agentv1.LogEntry{LogType: "access", RequestMethod: "GET", Status: 200, UpstreamAddr: "10.0.0.1:80, 10.0.0.2:80", UpstreamStatus: "502, 200"})
	attributes := record.Attributes().AsRaw()
	require.Equal(t, []any{"10.0.0.1:80", "10.0.0.2:80"}, attributes["nginx.upstream.address"])
	require.Equal(t, []any{int64(502), int64(200)}, attributes["nginx.upstream.status"])
	require.NotContains(t, attributes, "nginx.upstream.response.time")
}

func TestListsHaveOneElementPerAttempt(t *testing.T) {
	record := one(t, &agentv1.LogEntry{LogType: "access", Content: `{"status":200,"upstream":"a, b","ustatus":"502","urt":"0.1, 0.2, 0.3"}`})
	attributes := record.Attributes().AsRaw()
	require.Equal(t, []any{int64(502), int64(0)}, attributes["nginx.upstream.status"])
	require.Equal(t, []any{0.1, 0.2}, attributes["nginx.upstream.response.time"])
}

func TestCombinedLine(t *testing.T) {
	const line = `192.0.2.1 - - [02/Jan/2026:04:04:05 +0100] "GET /a HTTP/1.1" 200 512 "http://r/" "Mozilla"`
	want := map[string]any{
		"http.request.method": "GET", "url.path": "/a", "http.response.status_code": int64(200), "http.response.body.size": int64(512),
		"network.peer.address": "192.0.2.1", "client.address": "192.0.2.1", "network.protocol.version": "1.1",
		"user_agent.original": "Mozilla", "http.request.header.referer": "http://r/",
	}
	record := one(t, &agentv1.LogEntry{Timestamp: 1, LogType: "access", Content: line})
	require.Equal(t, want, record.Attributes().AsRaw())
	require.Equal(t, "2026-01-02T03:04:05Z", record.Timestamp().AsTime().Format(time.RFC3339Nano), "the line's time, when the agent could not parse it")

	want["nginx.request.time"] = 0.0
	record = one(t, &agentv1.LogEntry{
		Timestamp: testQueued + 1, LogType: "access", Content: line, RemoteAddr: "192.0.2.1", RequestMethod: "GET", RequestUri: "/a",
		Status: 200, BodyBytesSent: 512, Referer: "http://r/", UserAgent: "Mozilla",
	})
	require.Equal(t, want, record.Attributes().AsRaw())
	require.Equal(t, pcommon.Timestamp((testQueued+1)*1e9), record.Timestamp(), "the agent's time, when the line's is no finer")
}

const errorLine = `2026/01/02 03:04:05 [crit] 12#34: *56 connect() failed, client: 192.0.2.1, server: s, request: "GET /a HTTP/1.1", upstream: "http://10.0.0.1:80/a", host: "h", referrer: "http://r/"`

func TestErrorRecord(t *testing.T) {
	for name, logType := range map[string]string{"as error": "error", "as access": "access"} {
		t.Run(name, func(t *testing.T) {
			record := one(t, &agentv1.LogEntry{Timestamp: testQueued, LogType: logType, Content: errorLine})
			require.Equal(t, map[string]any{
				"nginx.error.level": "crit", "nginx.error.message": "connect() failed", "process.pid": int64(12), "thread.id": int64(34),
				"nginx.error.connection": int64(56), "client.address": "192.0.2.1", "server.address": "s", "nginx.error.request_line": "GET /a HTTP/1.1",
				"nginx.upstream.address": []any{"http://10.0.0.1:80/a"}, "nginx.error.host": "h", "http.request.header.referer": "http://r/",
			}, record.Attributes().AsRaw())
			require.Equal(t, nginxsemconv.EventError, record.EventName())
			require.Equal(t, "crit", record.SeverityText())
			require.Equal(t, plog.SeverityNumberError2, record.SeverityNumber())
			require.Equal(t, pcommon.Timestamp(testQueued*1e9), record.Timestamp())
			require.Equal(t, errorLine, record.Body().Str())
		})
	}
}

func TestErrorLevels(t *testing.T) {
	for level, want := range map[string]plog.SeverityNumber{
		"debug": plog.SeverityNumberDebug, "info": plog.SeverityNumberInfo, "notice": plog.SeverityNumberInfo2, "warn": plog.SeverityNumberWarn,
		"error": plog.SeverityNumberError, "crit": plog.SeverityNumberError2, "alert": plog.SeverityNumberFatal, "emerg": plog.SeverityNumberFatal4, "new": plog.SeverityNumberError,
	} {
		record := one(t, &agentv1.LogEntry{LogType: "error", Content: "2026/01/02 03:04:05 [" + level + "] 1#1: x"})
		require.Equal(t, want, record.SeverityNumber(), level)
	}
}

func TestUnparsedLinesAreKept(t *testing.T) {
	entries := []Entry{
		encoded(t, &agentv1.LogEntry{Timestamp: testQueued, LogType: "access", Content: "what?"}),
		encoded(t, &agentv1.LogEntry{Timestamp: testQueued, LogType: "error", Content: "who?"}),
		encoded(t, &agentv1.LogEntry{Timestamp: testQueued, LogType: "access", Content: `{"status":200`}),
	}
	logs, traces, counts := translateWith(&allSettings, entries...)
	require.Equal(t, Counts{Records: 3, UnparsedAccess: 2, UnparsedError: 1}, counts)
	require.Zero(t, traces.SpanCount())
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	for i, want := range []struct {
		event, body string
		severity    plog.SeverityNumber
	}{
		{nginxsemconv.EventAccess, "what?", plog.SeverityNumberWarn},
		{nginxsemconv.EventError, "who?", plog.SeverityNumberError},
		{nginxsemconv.EventAccess, `{"status":200`, plog.SeverityNumberWarn},
	} {
		record := records.At(i)
		require.Equal(t, want.event, record.EventName())
		require.Equal(t, want.body, record.Body().Str())
		require.Equal(t, want.severity, record.SeverityNumber())
		require.Zero(t, record.Attributes().Len())
	}
}

func TestStatuses(t *testing.T) {
	for status, want := range map[int32]struct {
		severity  plog.SeverityNumber
		errorType any
	}{
		9: {plog.SeverityNumberWarn, nil}, 101: {plog.SeverityNumberInfo, nil}, 304: {plog.SeverityNumberInfo, nil}, 499: {plog.SeverityNumberWarn, nil},
		500: {plog.SeverityNumberError, "500"}, 599: {plog.SeverityNumberError, "599"}, 700: {plog.SeverityNumberError, "700"}, math.MaxInt32: {plog.SeverityNumberError, "2147483647"},
	} {
		record := one(t, &agentv1.LogEntry{RequestMethod: "GET", Status: status})
		attributes := record.Attributes().AsRaw()
		require.Equal(t, int64(status), attributes["http.response.status_code"])
		require.Equal(t, want.severity, record.SeverityNumber(), status)
		require.Equal(t, want.errorType, attributes["error.type"], status)
	}
	for _, status := range []int32{0, -7} {
		require.NotContains(t, one(t, &agentv1.LogEntry{RequestMethod: "GET", Status: status}).Attributes().AsRaw(), "http.response.status_code")
	}
}

func TestImpossibleValuesAreLeftOut(t *testing.T) {
	entry := &agentv1.LogEntry{
		Timestamp: math.MaxInt64, RequestMethod: "GET", Status: 200, BodyBytesSent: -1, RequestTime: float32(math.NaN()), UpstreamAddr: "a",
		UpstreamConnectTime: float32(math.Inf(1)), UpstreamHeaderTime: -1, UpstreamResponseTime: float32(math.Inf(-1)),
	}
	logs, traces, counts := translateWith(&allSettings, encoded(t, entry))
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, map[string]any{"http.request.method": "GET", "http.response.status_code": int64(200), "nginx.upstream.address": []any{"a"}}, record.Attributes().AsRaw())
	require.Equal(t, pcommon.Timestamp(testQueued*1e9), record.Timestamp(), "the message's time stands in")
	require.Equal(t, 6, counts.RefusedValues)
	require.Zero(t, traces.SpanCount())
}

func TestTimes(t *testing.T) {
	for _, test := range []struct {
		entry, queued int64
		want          uint64
	}{{5, 7, 5e9}, {0, 7, 7e9}, {-5, 7, 7e9}, {maxUnix + 1, 7, 7e9}, {0, 0, testReceived}, {math.MinInt64, math.MaxInt64, testReceived}, {maxUnix, 0, maxUnix * 1e9}} {
		b, err := proto.Marshal(&agentv1.LogEntry{Timestamp: test.entry, Status: 200})
		require.NoError(t, err)
		logs, _, _ := translateWith(&allSettings, Entry{Encoded: b, Queued: test.queued, Received: testReceived})
		require.Equal(t, pcommon.Timestamp(test.want), logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Timestamp(), "%+v", test)
	}
}

func TestClientAddress(t *testing.T) {
	settings := Settings{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for _, test := range []struct{ name, peer, forwarded, want string }{
		{"trusted", "10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"trusted, IPv6", "fd00::1", "2001:db8::1", "2001:db8::1"},
		{"trusted, IPv4 in IPv6", "::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"},
		{"with a port", "10.1.2.3", "198.51.100.1:1234", "198.51.100.1"},
		{"IPv6 with a port", "10.1.2.3", "[2001:db8::1]:80, x", "2001:db8::1"},
		{"not trusted", "192.0.2.1", "198.51.100.1", "192.0.2.1"},
		{"no address", "10.1.2.3", "unknown, 198.51.100.1", "10.1.2.3"},
		{"nothing forwarded", "10.1.2.3", "", "10.1.2.3"},
		{"a socket", "unix:", "198.51.100.1", "unix:"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, settings.clientAddress(test.peer, test.forwarded)) })
	}
	require.Equal(t, "10.1.2.3", (&Settings{}).clientAddress("10.1.2.3", "198.51.100.1"), "nobody is trusted by default")
}

// rawEntry writes fields by number, which the generated code would refuse.
func rawEntry(fields map[protowire.Number]string) Entry {
	var b []byte
	for number, text := range fields {
		b = protowire.AppendTag(b, number, protowire.BytesType)
		b = protowire.AppendString(b, text)
	}
	return Entry{Encoded: b, Queued: testQueued, Received: testReceived}
}

func TestInvalidUTF8IsRepaired(t *testing.T) {
	logs, _, _ := translateWith(&allSettings,
		rawEntry(map[protowire.Number]string{2: "access", 3: "{\"ua\":\"a\xffb\",\"host\":\"\\xff\\xfe\"}", 5: "GET", 6: "/\xc3\x28?\xff", 10: "\xff", 17: "u\xff"}),
		rawEntry(map[protowire.Number]string{2: "access", 3: "\xff\xfe\x00\x1b[31m"}),
		rawEntry(map[protowire.Number]string{2: "error", 3: "2026/01/02 03:04:05 [error] 1#1: \xff\x00\x1b[31m, client: 192.0.2.1"}))
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 3, records.Len())
	for _, record := range records.All() {
		require.True(t, utf8.ValidString(record.Body().Str()))
		for _, value := range record.Attributes().All() {
			require.True(t, utf8.ValidString(value.AsString()))
		}
	}
	first := records.At(0).Attributes().AsRaw()
	require.Equal(t, "/\uFFFD(", first["url.path"])
	require.Equal(t, "u\uFFFD", first["user_agent.original"])
	require.Equal(t, "\uFFFD", first["server.address"])
	require.Equal(t, "\uFFFD\x00\x1b[31m", records.At(1).Body().Str(), "control characters are the line's own")
}

func TestMalformedEntriesAreCounted(t *testing.T) {
	good := encoded(t, &agentv1.LogEntry{Status: 200})
	cut := encoded(t, &agentv1.LogEntry{Content: jsonLine})
	cut.Encoded = cut.Encoded[:len(cut.Encoded)-5]
	logs, _, counts := translateWith(&allSettings, good, cut, Entry{Encoded: []byte{0xff}}, good)
	require.Equal(t, Counts{Records: 2, Malformed: 2}, counts)
	require.Equal(t, 2, logs.LogRecordCount())
}

func TestSegmentsHaveTheirResources(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	before := agent.Resource()
	agent.Heartbeat(1, &agentv1.Heartbeat{Hostname: "h"})
	entry := encoded(t, &agentv1.LogEntry{Content: jsonLine})
	logs, traces, _ := NewTranslator(&allSettings, false).Translate(Batch{[]Entry{entry, entry, entry}, []Segment{{before, 0}, {agent.Resource(), 2}}})
	require.Equal(t, 2, logs.ResourceLogs().Len())
	require.Equal(t, 2, logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().Len())
	require.Equal(t, 1, logs.ResourceLogs().At(1).ScopeLogs().At(0).LogRecords().Len())
	_, early := logs.ResourceLogs().At(0).Resource().Attributes().Get("host.name")
	_, late := logs.ResourceLogs().At(1).Resource().Attributes().Get("host.name")
	require.False(t, early)
	require.True(t, late)
	require.Equal(t, 2, traces.ResourceSpans().Len())
}

func TestLogsOrSpansAlone(t *testing.T) {
	entry := encoded(t, &agentv1.LogEntry{Content: jsonLine})
	logs, traces, counts := translateWith(&Settings{Logs: true}, entry)
	require.Equal(t, []int{1, 0}, []int{logs.LogRecordCount(), traces.SpanCount()})
	require.Equal(t, Counts{Records: 1}, counts)
	logs, traces, counts = translateWith(&Settings{Spans: true}, entry)
	require.Equal(t, []int{0, 4}, []int{logs.LogRecordCount(), traces.SpanCount()})
	require.Equal(t, Counts{Spans: 4}, counts)
}

// Data that was handed out must not change when the translator goes on.
func TestDataStaysAsItIs(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	translator := NewTranslator(&allSettings, false)
	marshaler := plog.JSONMarshaler{}
	var kept []plog.Logs
	var want [][]byte
	for i := range 50 {
		line := strings.ReplaceAll(jsonLine, "/a/b", fmt.Sprintf(`/\x22%d`, i))
		logs, _, _ := translator.Translate(Batch{[]Entry{encoded(t, &agentv1.LogEntry{Content: line})}, []Segment{{Resource: agent.Resource()}}})
		text, err := marshaler.MarshalLogs(logs)
		require.NoError(t, err)
		kept, want = append(kept, logs), append(want, text)
	}
	for i, logs := range kept {
		text, err := marshaler.MarshalLogs(logs)
		require.NoError(t, err)
		require.Equal(t, string(want[i]), string(text))
	}
}

func TestAtMostAFifthOfAnAllocationPerEntry(t *testing.T) {
	settings := Settings{Logs: true}
	entries := benchEntries(250)
	translator := NewTranslator(&settings, false)
	segments := []Segment{{Resource: NewAgent(&settings, "a").Resource()}}
	allocations := testing.AllocsPerRun(20, func() { translator.Translate(Batch{entries, segments}) })
	require.LessOrEqual(t, allocations/float64(len(entries)), 0.2)
}

func FuzzTranslate(f *testing.F) {
	f.Add(encoded(f, &agentv1.LogEntry{Timestamp: 1, LogType: "access", Content: jsonLine, RequestMethod: "GET", Status: 200}).Encoded)
	f.Add(encoded(f, &agentv1.LogEntry{LogType: "error", Content: errorLine}).Encoded)
	f.Add(encoded(f, &agentv1.LogEntry{Content: jsonLine}).Encoded)
	seed, _ := hex.DecodeString("ffff")
	f.Add(seed)
	translator := NewTranslator(&allSettings, false)
	agent := NewAgent(&allSettings, "a")
	f.Fuzz(func(t *testing.T, message []byte) {
		b := bytes.Clone(message)
		logs, traces, counts := translator.Translate(Batch{[]Entry{{Encoded: b, Queued: 1, Received: 1}}, []Segment{{Resource: agent.Resource()}}})
		require.Equal(t, 1, counts.Records+counts.Malformed)
		text, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
		require.NoError(t, err)
		spans, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
		require.NoError(t, err)
		clear(b) // the memory of messages is used again
		again, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
		require.NoError(t, err)
		require.Equal(t, text, again)
		spansAgain, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
		require.NoError(t, err)
		require.Equal(t, spans, spansAgain)
		_, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(text)
		require.NoError(t, err)
		for _, resource := range logs.ResourceLogs().All() {
			for _, record := range resource.ScopeLogs().At(0).LogRecords().All() {
				require.True(t, utf8.ValidString(record.Body().Str()))
				for _, value := range record.Attributes().All() {
					require.True(t, utf8.ValidString(value.AsString()))
				}
			}
		}
		for _, resource := range traces.ResourceSpans().All() {
			for _, span := range resource.ScopeSpans().At(0).Spans().All() {
				require.LessOrEqual(t, span.StartTimestamp(), span.EndTimestamp())
				require.False(t, span.TraceID().IsEmpty() || span.SpanID().IsEmpty())
			}
		}
	})
}
