package translate

import (
	"strings"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
)

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
	t.putScheme(r.scheme)
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

// putHost separates a port from the host.
func (t *Translator) putHost(host string) {
	if host == "" {
		return
	}
	name, port := t.host(host)
	if port >= 0 {
		t.slab.Put("server.port", t.slab.Int(port))
	}
	t.slab.Put("server.address", name)
}

// splitHost returns the port or -1. An IPv6 address has a port only when it is in brackets, which it loses.
func splitHost(host string) (name string, port int64) {
	port = -1
	if colon := strings.LastIndexByte(host, ':'); colon > 0 && (host[colon-1] == ']' || strings.IndexByte(host, ':') == colon) {
		if n, ok := parsePort(host[colon+1:]); ok {
			host, port = host[:colon], n
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
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

// putProtocol puts "HTTP/1.1" as 1.1, and "HTTP/2.0" as 2.
func (t *Translator) putProtocol(name string) {
	for i := range protocols {
		if protocols[i].name == name {
			t.slab.Put("network.protocol.version", protocols[i].version)
			return
		}
	}
	if version, ok := strings.CutPrefix(name, "HTTP/"); ok {
		t.slab.PutString("network.protocol.version", version)
	}
}

// putScheme puts the scheme, which is nearly always one of two.
func (t *Translator) putScheme(scheme string) {
	switch scheme {
	case "":
	case "https":
		t.slab.Put("url.scheme", schemeHTTPS)
	case "http":
		t.slab.Put("url.scheme", schemeHTTP)
	default:
		t.slab.Put("url.scheme", t.slab.String(scheme))
	}
}
