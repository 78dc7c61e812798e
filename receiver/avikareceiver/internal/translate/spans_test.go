package translate

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func spansOf(t *testing.T, line string) []ptrace.Span {
	t.Helper()
	_, traces, _ := translateWith(&allSettings, encoded(t, &agentv1.LogEntry{Timestamp: testQueued, LogType: "access", Content: line}))
	var spans []ptrace.Span
	for _, resource := range traces.ResourceSpans().All() {
		for _, span := range resource.ScopeSpans().At(0).Spans().All() {
			spans = append(spans, span)
		}
	}
	return spans
}

// A list of attempts becomes a span and four values for each: a hostile agent's line of 4 MiB could hold a million of them.
func TestAttemptsAreBounded(t *testing.T) {
	for _, separator := range []string{", ", " : "} {
		list := strings.Repeat("10.0.0.1:80"+separator, 300_000) + "10.0.0.2:80"
		for _, entry := range []*agentv1.LogEntry{
			{Status: 200, RequestMethod: "GET", RequestId: "x", UpstreamAddr: list},
			{Content: `{"req_id":"x","method":"GET","status":200,"upstream":"` + list + `"}`},
		} {
			logs, traces, counts := translateWith(&allSettings, encoded(t, entry))
			require.Equal(t, 1+maxAttempts, traces.SpanCount())
			require.Equal(t, 1, counts.RefusedValues)
			attempts, _ := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Get("nginx.upstream.address")
			require.Equal(t, maxAttempts, attempts.Slice().Len())
			require.Equal(t, "10.0.0.1:80", attempts.Slice().At(maxAttempts-1).Str())
		}
	}
	most := strings.Repeat("10.0.0.1:80, ", maxAttempts-1) + "10.0.0.2:80"
	_, traces, counts := translateWith(&allSettings, encoded(t, &agentv1.LogEntry{Status: 200, RequestMethod: "GET", RequestId: "x", UpstreamAddr: most}))
	require.Equal(t, 1+maxAttempts, traces.SpanCount())
	require.Zero(t, counts.RefusedValues)
}

func TestSpansOfARequest(t *testing.T) {
	const end = 1767323045.678
	spans := spansOf(t, jsonLine)
	require.Len(t, spans, 4)
	server := spans[0]
	require.Equal(t, "POST", server.Name())
	require.Equal(t, ptrace.SpanKindServer, server.Kind())
	require.Equal(t, ptrace.StatusCodeError, server.Status().Code())
	require.True(t, server.ParentSpanID().IsEmpty())
	require.InDelta(t, end*1e9, float64(server.EndTimestamp()), 1000)
	require.Equal(t, pcommon.Timestamp(123_000_000), server.EndTimestamp()-server.StartTimestamp())
	require.Equal(t, map[string]any{
		"http.request.method": "POST", "url.path": "/a/b", "url.query": "c=d&e", "url.scheme": "https", "http.response.status_code": int64(503),
		"error.type": "503", "network.peer.address": "192.0.2.1", "client.address": "192.0.2.1", "server.address": "example.com", "server.port": int64(8443),
		"network.protocol.version": "2", "user_agent.original": "Mozilla", "nginx.request.id": "0123456789abcdef0123456789abcdef",
	}, server.Attributes().AsRaw())

	want := []struct {
		start, length float64 // ms before the end, ms
		attributes    map[string]any
		failed        bool
	}{
		{82, 11, map[string]any{"server.address": "10.0.0.1", "server.port": int64(80), "network.peer.address": "10.0.0.1:80", "http.response.status_code": int64(502), "error.type": "502"}, true},
		{71, 50, map[string]any{"server.address": "unix:/s.sock", "network.peer.address": "unix:/s.sock", "http.request.resend_count": int64(1)}, false},
		{21, 21, map[string]any{"server.address": "fd00::1", "server.port": int64(8080), "network.peer.address": "[fd00::1]:8080", "http.response.status_code": int64(503), "error.type": "503", "http.request.resend_count": int64(2)}, true},
	}
	for i, expected := range want {
		span := spans[i+1]
		require.Equal(t, ptrace.SpanKindClient, span.Kind())
		require.Equal(t, "POST", span.Name())
		require.Equal(t, server.SpanID(), span.ParentSpanID())
		require.Equal(t, server.TraceID(), span.TraceID())
		require.InDelta(t, expected.start*1e6, float64(server.EndTimestamp()-span.StartTimestamp()), 1, "attempt %d", i)
		require.InDelta(t, expected.length*1e6, float64(span.EndTimestamp()-span.StartTimestamp()), 1, "attempt %d", i)
		expected.attributes["http.request.method"] = "POST"
		expected.attributes["nginx.request.id"] = "0123456789abcdef0123456789abcdef"
		require.Equal(t, expected.attributes, span.Attributes().AsRaw(), "attempt %d", i)
		require.Equal(t, expected.failed, span.Status().Code() == ptrace.StatusCodeError, "attempt %d", i)
	}
}

func TestServerSpanFailsFrom500OnAndClientSpanFrom400On(t *testing.T) {
	for status, want := range map[string][2]ptrace.StatusCode{
		"399": {}, "404": {ptrace.StatusCodeUnset, ptrace.StatusCodeError}, "500": {ptrace.StatusCodeError, ptrace.StatusCodeError},
	} {
		spans := spansOf(t, `{"req_id":"x","status":`+status+`,"upstream":"a","ustatus":"`+status+`","rt":0.1,"urt":"0.1"}`)
		require.Len(t, spans, 2)
		require.Equal(t, want, [2]ptrace.StatusCode{spans[0].Status().Code(), spans[1].Status().Code()}, status)
	}
}

func TestAttemptsStayWithinTheRequest(t *testing.T) {
	spans := spansOf(t, `{"msec":"1767323045.678","req_id":"x","status":200,"rt":0.1,"upstream":"a, b","ustatus":"502, 200","urt":"5.0, 0.04"}`)
	require.Len(t, spans, 3)
	require.Equal(t, spans[0].StartTimestamp(), spans[1].StartTimestamp())
	require.Equal(t, spans[1].EndTimestamp(), spans[2].StartTimestamp())
	require.Equal(t, spans[0].EndTimestamp(), spans[2].EndTimestamp())
}

func TestTraceIDs(t *testing.T) {
	const hex32 = "0123456789abcdef0123456789abcdef"
	hashed := func(id string) string {
		sum := sha256.Sum256([]byte(id))
		return pcommon.TraceID(sum[:16]).String()
	}
	for _, test := range []struct {
		name, fields, trace, span, parent string
		spans                             int
	}{
		{"a module made the span", `"trace_id":"` + hex32 + `","span_id":"0123456789abcdef","req_id":"x","traceparent":"00-11111111111111111111111111111111-2222222222222222-01"`, hex32, "0123456789abcdef", "", 0},
		{"a module, no span id", `"trace_id":"` + hex32 + `"`, hex32, "", "", 0},
		{"a trace id of zeros counts for nothing", `"trace_id":"00000000000000000000000000000000","req_id":"` + hex32 + `"`, hex32, "*", "", 1},
		{"traceparent", `"traceparent":"00-11111111111111111111111111111111-2222222222222222-01","req_id":"` + hex32 + `"`, "11111111111111111111111111111111", "*", "2222222222222222", 1},
		{"a later traceparent", `"traceparent":"01-11111111111111111111111111111111-2222222222222222-01-more"`, "11111111111111111111111111111111", "*", "2222222222222222", 1},
		{"a traceparent that is none", `"traceparent":"00-11111111111111111111111111111111-0000000000000000-01","req_id":"` + hex32 + `"`, hex32, "*", "", 1},
		{"a traceparent of version ff", `"traceparent":"ff-11111111111111111111111111111111-2222222222222222-01","req_id":"` + hex32 + `"`, hex32, "*", "", 1},
		{"32 digits", `"req_id":"0123456789ABCDEF0123456789ABCDEF"`, hex32, "*", "", 1},
		{"a UUID", `"req_id":"01234567-89ab-cdef-0123-456789abcdef"`, hex32, "*", "", 1},
		{"zeros are hashed", `"req_id":"00000000000000000000000000000000"`, hashed("00000000000000000000000000000000"), "*", "", 1},
		{"any other", `"req_id":"abc"`, hashed("abc"), "*", "", 1},
		{"none", `"status":200`, "", "", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			line := `{` + test.fields + `,"method":"GET"}`
			record := one(t, &agentv1.LogEntry{Content: line})
			spans := spansOf(t, line)
			require.Equal(t, test.trace, record.TraceID().String())
			require.Len(t, spans, test.spans)
			if test.span != "*" {
				require.Equal(t, test.span, record.SpanID().String())
				return
			}
			require.Equal(t, spans[0].SpanID(), record.SpanID())
			require.Equal(t, test.trace, spans[0].TraceID().String())
			require.Equal(t, test.parent, spans[0].ParentSpanID().String())
		})
	}
}

func TestFlagsComeFromTraceparent(t *testing.T) {
	record := one(t, &agentv1.LogEntry{Content: `{"traceparent":"00-11111111111111111111111111111111-2222222222222222-01"}`})
	require.True(t, record.Flags().IsSampled())
	require.Equal(t, plog.DefaultLogRecordFlags, one(t, &agentv1.LogEntry{Content: `{"req_id":"x"}`}).Flags())
}

func TestSpanIDsDependOnTraceAgentAndRole(t *testing.T) {
	first, again := spansOf(t, jsonLine), spansOf(t, jsonLine)
	seen := map[pcommon.SpanID]bool{}
	for i := range first {
		require.Equal(t, first[i].SpanID(), again[i].SpanID(), "a replayed line makes the same spans")
		seen[first[i].SpanID()] = true
	}
	require.Len(t, seen, len(first))
	other := NewAgent(&allSettings, "web-02-10-0-2-16")
	_, traces, _ := NewTranslator(&allSettings, false).Translate(Batch{[]Entry{encoded(t, &agentv1.LogEntry{Content: jsonLine})}, []Segment{{Resource: other.Resource()}}})
	require.NotEqual(t, first[0].SpanID(), traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SpanID())
	require.Equal(t, "web-01-10-0-2-15", NewAgent(&allSettings, "web-01-10-0-2-15").id)
}

func TestSpanNames(t *testing.T) {
	require.Equal(t, "HTTP", spansOf(t, `{"req_id":"x","method":"PURGE"}`)[0].Name())
	require.Equal(t, "HTTP", spansOf(t, `{"req_id":"x","status":400}`)[0].Name())
}
