package translate

import (
	"bytes"
	"math"
	"net/netip"
	"strings"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// request is an access record on its way: what the agent parsed, completed by what the line holds.
type request struct {
	method                    method
	originalMethod            string
	path, query, scheme       string
	hasQuery                  bool
	status                    int64
	peer, client, forwarded   string
	userAgent, referer, id    string
	host, protocol, cache     string
	upstreams, upstreamStatus []byte
	connect, header, response []byte
	// times of a single attempt that the line does not hold, negative when absent
	connectTime, headerTime, responseTime float64
	time                                  float64
	body, sent                            int64
}

// accessRecord fills a record from what the agent parsed and from the line in t.access.
func (t *Translator) accessRecord(record *pdataslab.LogRecord, entry *wire.LogEntry) {
	var r request
	t.readRequest(&r, entry)
	record.EventName = nginxsemconv.EventAccess
	record.Severity, record.SeverityText = accessSeverity(r.status)
	if t.access.Precise || t.access.Time > 0 && !agentParsed(entry) {
		record.Time = uint64(t.access.Time)
	}
	if t.settings.Logs {
		record.Attributes = t.accessAttributes(&r)
	}
	ids := traceIDs(t.resource.agent, &t.access, r.id)
	record.TraceID, record.SpanID, record.Flags = ids.trace, ids.span, ids.flags
	if t.settings.Spans && ids.emit {
		t.requestSpans(&r, &ids, record.Time)
	}
}

func (t *Translator) readRequest(r *request, entry *wire.LogEntry) {
	r.readMethod(t, entry)
	uri := t.either(entry.RequestURI, logline.URI)
	r.path, r.query, r.hasQuery = strings.Cut(uri, "?")
	r.status = int64(entry.Status)
	if r.status <= 0 {
		r.status = int64(t.access.Status)
	}
	r.peer = t.either(entry.RemoteAddr, logline.RemoteAddr)
	r.forwarded = t.either(entry.ForwardedFor, logline.ForwardedFor)
	r.client = t.settings.clientAddress(r.peer, r.forwarded)
	r.userAgent = t.either(entry.UserAgent, logline.UserAgent)
	r.referer = t.either(entry.Referer, logline.Referer)
	r.id = t.either(entry.RequestID, logline.RequestID)
	r.host = t.found(logline.Host)
	r.scheme = t.found(logline.Scheme)
	r.protocol = t.found(logline.Protocol)
	r.cache = t.found(logline.CacheStatus)
	r.body, r.sent = t.access.BodyBytes, t.access.BytesSent
	if entry.BodyBytesSent > 0 || r.body < 0 && agentParsed(entry) {
		r.body = entry.BodyBytesSent
	}
	if r.body < 0 && entry.BodyBytesSent < 0 {
		t.counts.RefusedValues++
	}
	r.time = t.access.RequestTime
	if r.time < 0 && agentParsed(entry) {
		r.time = t.seconds(entry.RequestTime)
	}
	r.readUpstreams(t, entry)
}

// readUpstreams takes the lists of attempts; where the line has none, the agent's times are those of the one attempt.
func (r *request) readUpstreams(t *Translator, entry *wire.LogEntry) {
	line := &t.access
	r.upstreams = t.firstAttempts(first(line.Bytes(logline.UpstreamAddr), entry.Bytes(entry.UpstreamAddr)))
	r.upstreamStatus = first(line.Bytes(logline.UpstreamStatus), entry.Bytes(entry.UpstreamStatus))
	r.connect, r.header = line.Bytes(logline.UpstreamConnectTime), line.Bytes(logline.UpstreamHeaderTime)
	r.response = line.Bytes(logline.UpstreamResponseTime)
	r.connectTime, r.headerTime, r.responseTime = -1, -1, -1
	if len(r.upstreams) == 0 || isList(r.upstreams) {
		return
	}
	if len(r.connect) == 0 {
		r.connectTime = t.seconds(entry.UpstreamConnectTime)
	}
	if len(r.header) == 0 {
		r.headerTime = t.seconds(entry.UpstreamHeaderTime)
	}
	if len(r.response) == 0 {
		r.responseTime = t.seconds(entry.UpstreamResponseTime)
	}
}

// maxAttempts is more than NGINX tries for a request. Each attempt becomes values and a span.
const maxAttempts = 100

// firstAttempts cuts a list that is longer than can be true.
func (t *Translator) firstAttempts(list []byte) []byte {
	if len(list) < 2*maxAttempts {
		return list // the separators alone are longer
	}
	rest, more := list, true
	for n := 0; n < maxAttempts && more; n++ {
		_, rest, more = logline.NextAttempt(rest)
	}
	if !more {
		return list
	}
	t.counts.RefusedValues++
	kept := list[:len(list)-len(rest)]
	return bytes.TrimSuffix(bytes.TrimSuffix(kept, []byte(", ")), []byte(" : "))
}

func first(a, b []byte) []byte {
	if !absent(a) {
		return a
	}
	if absent(b) {
		return nil
	}
	return b
}

func isList(upstreams []byte) bool {
	_, _, more := logline.NextAttempt(upstreams)
	return more
}

// seconds widens an agent's time without inventing digits: NGINX writes milliseconds. What is negative or
// not finite becomes -1.
func (t *Translator) seconds(f float32) float64 {
	wide := float64(f)
	if !(wide >= 0) || math.IsInf(wide, 1) {
		t.counts.RefusedValues++
		return -1
	}
	if wide < 1e9 {
		return math.Round(wide*1e3) / 1e3
	}
	return wide
}

func accessSeverity(status int64) (int32, string) {
	switch {
	case status >= 500:
		return severityError, "ERROR"
	case status >= 400 || status < 100:
		return severityWarn, "WARN"
	default:
		return severityInfo, "INFO"
	}
}

// clientAddress believes X-Forwarded-For only when a trusted proxy wrote it, and only if it begins with an address.
func (s *Settings) clientAddress(peer, forwarded string) string {
	if forwarded == "" || len(s.TrustedProxies) == 0 {
		return peer
	}
	address, err := netip.ParseAddr(peer)
	if err != nil || !s.trusts(address.Unmap().WithZone("")) {
		return peer
	}
	claimed, _, _ := strings.Cut(forwarded, ",")
	claimed = strings.TrimSpace(claimed)
	if _, err := netip.ParseAddr(claimed); err == nil {
		return claimed
	}
	if withPort, err := netip.ParseAddrPort(claimed); err == nil {
		return withPort.Addr().String()
	}
	return peer
}

func (s *Settings) trusts(address netip.Addr) bool {
	for _, prefix := range s.TrustedProxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
