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
	r.upstreams = first(line.Bytes(logline.UpstreamAddr), entry.Bytes(entry.UpstreamAddr))
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

func (t *Translator) accessAttributes(r *request) []pdataslab.KeyValue {
	slab := &t.slab
	slab.Open(28)
	t.putRequest(r)
	if r.body >= 0 {
		slab.Put("http.response.body.size", slab.Int(r.body))
	}
	if r.sent >= 0 {
		slab.Put("http.response.size", slab.Int(r.sent))
	}
	if r.time >= 0 {
		slab.Put(nginxsemconv.RequestTime, slab.Float(r.time))
	}
	slab.PutString(nginxsemconv.RequestHeaderForwarded, r.forwarded)
	slab.PutString(nginxsemconv.RequestHeaderReferer, r.referer)
	slab.PutString(nginxsemconv.CacheStatus, r.cache)
	t.putUpstreams(r)
	return slab.Close()
}

// putRequest puts what the log record and the server span have in common.
func (t *Translator) putRequest(r *request) {
	slab := &t.slab
	if r.method.name != "" {
		slab.Put("http.request.method", r.method.value)
	}
	slab.PutString("http.request.method_original", r.originalMethod)
	slab.PutString("url.path", r.path)
	if r.hasQuery {
		slab.Put("url.query", slab.String(r.query))
	}
	slab.PutString("url.scheme", r.scheme)
	t.putStatus(r.status, 500)
	t.putAddresses(r.peer, r.client)
	t.putHost(r.host)
	t.putProtocol(r.protocol)
	slab.PutString("user_agent.original", r.userAgent)
	slab.PutString(nginxsemconv.RequestID, r.id)
}

func (t *Translator) putAddresses(peer, client string) {
	if peer == "" {
		return
	}
	value := t.slab.String(peer)
	t.slab.Put("network.peer.address", value)
	if client != peer {
		value = t.slab.String(client)
	}
	t.slab.Put("client.address", value)
}

// putHost separates a port from the host. An IPv6 address has a port only when it is in brackets.
func (t *Translator) putHost(host string) {
	if colon := strings.LastIndexByte(host, ':'); colon > 0 && (host[colon-1] == ']' || strings.IndexByte(host, ':') == colon) {
		if port, ok := parsePort(host[colon+1:]); ok {
			t.slab.Put("server.port", t.slab.Int(port))
			host = host[:colon]
		}
	}
	t.slab.PutString("server.address", strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}

func parsePort(text string) (int64, bool) {
	if len(text) == 0 || len(text) > 5 {
		return 0, false
	}
	var port int64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		port = port*10 + int64(text[i]-'0')
	}
	return port, port <= 65535
}

// putUpstreams puts the attempts, one element per upstream that was tried.
func (t *Translator) putUpstreams(r *request) {
	if len(r.upstreams) == 0 {
		return
	}
	list, n := t.upstreamList(r.upstreams)
	t.slab.Put(nginxsemconv.UpstreamAddress, list)
	if len(r.upstreamStatus) > 0 {
		t.putStatuses(r.upstreamStatus, n)
	}
	t.putTimes(nginxsemconv.UpstreamConnectTime, r.connect, r.connectTime, n)
	t.putTimes(nginxsemconv.UpstreamHeaderTime, r.header, r.headerTime, n)
	t.putTimes(nginxsemconv.UpstreamResponseTime, r.response, r.responseTime, n)
}

func countAttempts(list []byte) int {
	n := 1
	for _, rest, more := logline.NextAttempt(list); more; n++ {
		_, rest, more = logline.NextAttempt(rest)
	}
	return n
}

// putStatuses puts a status for each of n attempts; what the list does not hold is unknown.
func (t *Translator) putStatuses(list []byte, n int) {
	if n == 1 {
		if code := logline.ParseStatus(list); code < maxKnownStatus {
			t.slab.Put(nginxsemconv.UpstreamStatus, statuses[code].list)
			return
		}
	}
	value, elements := t.slab.Array(n)
	for i := range elements {
		var entry []byte
		entry, list, _ = logline.NextAttempt(list)
		elements[i] = t.statusValue(logline.ParseStatus(entry))
	}
	t.slab.Put(nginxsemconv.UpstreamStatus, value)
}

// putTimes puts a time for each of n attempts. Without a list there may be a single one.
func (t *Translator) putTimes(key string, list []byte, single float64, n int) {
	if len(list) == 0 && single < 0 {
		return
	}
	value, elements := t.slab.Array(n)
	switch {
	case len(list) == 0:
		elements[0] = t.slab.Float(single)
	case n == 1:
		elements[0] = t.slab.Float(logline.ParseDuration(list))
	default:
		for i := range elements {
			var entry []byte
			entry, list, _ = logline.NextAttempt(list)
			elements[i] = t.slab.Float(logline.ParseDuration(entry))
		}
	}
	t.slab.Put(key, value)
}

var httpPrefix = []byte("HTTP/")

// putProtocol puts "HTTP/1.1" as 1.1, and "HTTP/2.0" as 2.
func (t *Translator) putProtocol(protocol string) {
	if bytes.HasPrefix(raw(protocol), httpPrefix) {
		t.slab.PutString("network.protocol.version", strings.TrimSuffix(protocol[len(httpPrefix):], ".0"))
	}
}
