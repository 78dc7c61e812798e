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

// accessRecord fills a record from what the agent parsed and from the line in b.access.
func (b *Batch) accessRecord(agent *Agent, record *pdataslab.LogRecord, entry *wire.LogEntry, body string) {
	var r request
	b.readRequest(&r, entry, body)
	record.EventName = nginxsemconv.EventAccess
	record.Severity, record.SeverityText = accessSeverity(r.status)
	if b.access.Precise || b.access.Time > 0 && !agentParsed(entry) {
		record.Time = uint64(b.access.Time)
	}
	if b.Settings.Logs {
		record.Attributes = b.accessAttributes(&r)
	}
	ids := traceIDs(agent, &b.access, r.id)
	record.TraceID, record.SpanID, record.Flags = ids.trace, ids.span, ids.flags
	if b.Settings.Spans && ids.emit {
		b.requestSpans(agent, &r, &ids, record.Time)
	}
}

func (b *Batch) readRequest(r *request, entry *wire.LogEntry, body string) {
	text := &b.access.Text
	r.readMethod(b, entry, body)
	uri := b.either(body, entry.RequestURI, text[logline.URI])
	r.path, r.query, r.hasQuery = strings.Cut(uri, "?")
	r.status = int64(entry.Status)
	if r.status <= 0 {
		r.status = int64(b.access.Status)
	}
	r.peer = b.either(body, entry.RemoteAddr, text[logline.RemoteAddr])
	r.forwarded = b.either(body, entry.ForwardedFor, text[logline.ForwardedFor])
	r.client = b.Settings.clientAddress(r.peer, r.forwarded)
	r.userAgent = b.either(body, entry.UserAgent, text[logline.UserAgent])
	r.referer = b.either(body, entry.Referer, text[logline.Referer])
	r.id = b.either(body, entry.RequestID, text[logline.RequestID])
	r.host = b.part(body, text[logline.Host])
	r.scheme = b.part(body, text[logline.Scheme])
	r.protocol = b.part(body, text[logline.Protocol])
	r.cache = b.part(body, text[logline.CacheStatus])
	r.body, r.sent = b.access.BodyBytes, b.access.BytesSent
	if entry.BodyBytesSent > 0 || r.body < 0 && agentParsed(entry) {
		r.body = entry.BodyBytesSent
	}
	if r.body < 0 && entry.BodyBytesSent < 0 {
		b.Counts.RefusedValues++
	}
	r.time = b.access.RequestTime
	if r.time < 0 && agentParsed(entry) {
		r.time = b.seconds(entry.RequestTime)
	}
	r.readUpstreams(b, entry)
}

// readUpstreams takes the lists of attempts; where the line has none, the agent's times are those of the one attempt.
func (r *request) readUpstreams(b *Batch, entry *wire.LogEntry) {
	text := &b.access.Text
	r.upstreams = first(text[logline.UpstreamAddr], entry.UpstreamAddr)
	r.upstreamStatus = first(text[logline.UpstreamStatus], entry.UpstreamStatus)
	r.connect, r.header, r.response = text[logline.UpstreamConnectTime], text[logline.UpstreamHeaderTime], text[logline.UpstreamResponseTime]
	r.connectTime, r.headerTime, r.responseTime = -1, -1, -1
	if len(r.upstreams) == 0 || isList(r.upstreams) {
		return
	}
	if len(r.connect) == 0 {
		r.connectTime = b.seconds(entry.UpstreamConnectTime)
	}
	if len(r.header) == 0 {
		r.headerTime = b.seconds(entry.UpstreamHeaderTime)
	}
	if len(r.response) == 0 {
		r.responseTime = b.seconds(entry.UpstreamResponseTime)
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
func (b *Batch) seconds(f float32) float64 {
	wide := float64(f)
	if !(wide >= 0) || math.IsInf(wide, 1) {
		b.Counts.RefusedValues++
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

func (b *Batch) accessAttributes(r *request) []pdataslab.KeyValue {
	slab := &b.slab
	slab.Open(28)
	b.putRequest(r)
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
	b.putUpstreams(r)
	return slab.Close()
}

// putRequest puts what the log record and the server span have in common.
func (b *Batch) putRequest(r *request) {
	slab := &b.slab
	if r.method.name != "" {
		slab.Put("http.request.method", r.method.value)
	}
	slab.PutString("http.request.method_original", r.originalMethod)
	slab.PutString("url.path", r.path)
	if r.hasQuery {
		slab.Put("url.query", slab.String(r.query))
	}
	slab.PutString("url.scheme", r.scheme)
	b.putStatus(r.status, 500)
	slab.PutString("network.peer.address", r.peer)
	slab.PutString("client.address", r.client)
	b.putHost(r.host)
	b.putProtocol(r.protocol)
	slab.PutString("user_agent.original", r.userAgent)
	slab.PutString(nginxsemconv.RequestID, r.id)
}

// putHost separates a port from the host.
func (b *Batch) putHost(host string) {
	if colon := strings.LastIndexByte(host, ':'); colon > 0 && colon > strings.LastIndexByte(host, ']') {
		if port, ok := parsePort(host[colon+1:]); ok {
			b.slab.Put("server.port", b.slab.Int(port))
			host = host[:colon]
		}
	}
	b.slab.PutString("server.address", host)
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
func (b *Batch) putUpstreams(r *request) {
	if len(r.upstreams) == 0 {
		return
	}
	slab := &b.slab
	n := countAttempts(r.upstreams)
	list, elements := slab.Array(n)
	for i, rest := 0, r.upstreams; i < n; i++ {
		var entry []byte
		entry, rest, _ = logline.NextAttempt(rest)
		elements[i] = slab.String(b.text(entry))
	}
	slab.Put(nginxsemconv.UpstreamAddress, list)
	if len(r.upstreamStatus) > 0 {
		b.putStatuses(r.upstreamStatus)
	}
	b.putTimes(nginxsemconv.UpstreamConnectTime, r.connect, r.connectTime)
	b.putTimes(nginxsemconv.UpstreamHeaderTime, r.header, r.headerTime)
	b.putTimes(nginxsemconv.UpstreamResponseTime, r.response, r.responseTime)
}

func countAttempts(list []byte) int {
	n := 1
	for _, rest, more := logline.NextAttempt(list); more; n++ {
		_, rest, more = logline.NextAttempt(rest)
	}
	return n
}

func (b *Batch) putStatuses(list []byte) {
	n := countAttempts(list)
	value, elements := b.slab.Array(n)
	for i, rest := 0, list; i < n; i++ {
		var entry []byte
		entry, rest, _ = logline.NextAttempt(rest)
		elements[i] = b.statusValue(logline.ParseStatus(entry))
	}
	b.slab.Put(nginxsemconv.UpstreamStatus, value)
}

func (b *Batch) putTimes(key string, list []byte, single float64) {
	if len(list) == 0 {
		if single >= 0 {
			value, elements := b.slab.Array(1)
			elements[0] = b.slab.Float(single)
			b.slab.Put(key, value)
		}
		return
	}
	n := countAttempts(list)
	value, elements := b.slab.Array(n)
	for i, rest := 0, list; i < n; i++ {
		var entry []byte
		entry, rest, _ = logline.NextAttempt(rest)
		elements[i] = b.slab.Float(logline.ParseDuration(entry))
	}
	b.slab.Put(key, value)
}

var httpPrefix = []byte("HTTP/")

// putProtocol puts "HTTP/1.1" as 1.1, and "HTTP/2.0" as 2.
func (b *Batch) putProtocol(protocol string) {
	if bytes.HasPrefix(raw(protocol), httpPrefix) {
		b.slab.PutString("network.protocol.version", strings.TrimSuffix(protocol[len(httpPrefix):], ".0"))
	}
}
