// Package logline reads NGINX log lines: JSON and combined access lines, and error lines.
//
// Lines are foreign bytes: hostile clients write into them. The parsers are single-pass, do not allocate once their
// scratch has grown, and never fail on content, only report that they could not make sense of it. Text is returned as
// it stands in the line, escapes resolved; it may hold invalid UTF-8 and control characters.
package logline

import "bytes"

// Field is a piece of text that an access line may hold.
type Field uint8

const (
	none Field = iota
	RemoteAddr
	Method
	URI
	Protocol
	RequestID
	UpstreamAddr
	UpstreamStatus
	UpstreamConnectTime
	UpstreamHeaderTime
	UpstreamResponseTime
	Referer
	UserAgent
	ForwardedFor
	Host
	Scheme
	CacheStatus
	TraceID
	SpanID
	Traceparent
	// The fields below are read by the parser itself.
	request
	status
	bodyBytes
	bytesSent
	requestTime
	msec
	timestamp
	timeLocal
	fieldCount
)

// Access is what an access line says.
type Access struct {
	// texts says where the text of each field stands. What is at none is of no interest.
	texts [request]place
	// Status is 0 when absent.
	Status int32
	// BodyBytes and BytesSent are -1 when absent.
	BodyBytes, BytesSent int64
	// RequestTime is in seconds, negative when absent.
	RequestTime float64
	// Time is in Unix nanoseconds, 0 when absent. Precise says that it is finer than a second.
	Time    int64
	Precise bool

	line    []byte
	scratch []byte
	shape   shape
	clock   clock
}

// place is part of the line or, with the flag, of the scratch in which escapes were resolved.
type place struct {
	from, to uint32
}

const inScratch = 1 << 31

// Text returns the text of a field, empty when it is absent. It points into the line, unless copied says that it is only
// valid until the next parse.
func (a *Access) Text(field Field) (text []byte, copied bool) {
	p := a.texts[field]
	return a.at(p), p.from&inScratch != 0
}

// Bytes is Text for those who do not keep it.
func (a *Access) Bytes(field Field) []byte {
	text, _ := a.Text(field)
	return text
}

// Has reports whether a field is present.
func (a *Access) Has(field Field) bool { return a.texts[field] != place{} }

func (a *Access) reset(line []byte) {
	clear(a.texts[:])
	a.Status, a.BodyBytes, a.BytesSent, a.RequestTime, a.Time, a.Precise = 0, -1, -1, -1, 0, false
	a.line, a.scratch = line, a.scratch[:0]
	if cap(a.scratch) > maxKeptScratch {
		a.scratch = nil
	}
}

// A long line must not pin its memory for as long as its agent is connected.
const maxKeptScratch = 16 << 10

// Parse reads an access line in JSON or combined format. When it reports false, a holds what was
// understood before the line stopped making sense. The line must not change while a is in use.
func (a *Access) Parse(line []byte) bool {
	for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		line = line[1:]
	}
	a.reset(line)
	if len(line) > 0 && line[0] == '{' {
		return a.parseJSON(line)
	}
	return a.parseCombined(line)
}

// at returns the bytes of a place.
func (a *Access) at(p place) []byte {
	if p.from&inScratch != 0 {
		return a.scratch[p.from&^inScratch : p.to : p.to]
	}
	return a.line[p.from:p.to:p.to]
}

// part returns the place of a part of p.
func (p place) part(from, to int) place {
	return place{p.from + uint32(from), p.from&^inScratch + uint32(to)}
}

// set stores the value of a field, after its escapes have been resolved.
func (a *Access) set(field Field, p place) {
	if field < request {
		if n := p.to - p.from&^inScratch; n > 1 || n == 1 && a.at(p)[0] != '-' {
			a.texts[field] = p
		}
		return
	}
	value := a.at(p)
	if len(value) == 0 {
		return
	}
	switch field {
	case request:
		a.setRequest(p)
	case status:
		if n, ok := parseInt(value); ok && n >= 0 && n <= maxStatus {
			a.Status = int32(n)
		}
	case bodyBytes:
		if n, ok := parseInt(value); ok && n >= 0 {
			a.BodyBytes = n
		}
	case bytesSent:
		if n, ok := parseInt(value); ok && n >= 0 {
			a.BytesSent = n
		}
	case requestTime:
		if f, ok := ParseSeconds(value); ok {
			a.RequestTime = f
		}
	case msec, timestamp, timeLocal:
		a.setTime(field, value)
	}
}

const maxStatus = 1 << 30

// setTime keeps the finest time that the line holds.
func (a *Access) setTime(field Field, value []byte) {
	if a.Precise {
		return
	}
	var nanos int64
	var precise bool
	switch field {
	case msec:
		nanos, precise = parseEpoch(value)
	case timestamp:
		nanos, precise = a.clock.parseRFC3339(value)
	case timeLocal:
		nanos = parseTimeLocal(value)
	}
	if nanos > 0 {
		a.Time, a.Precise = nanos, precise
	}
}

// setRequest splits a request line, "GET /path HTTP/1.1". The URI may hold spaces; what is not a request line is left out.
func (a *Access) setRequest(p place) {
	line := a.at(p)
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first <= 0 || !isToken(line[:first]) {
		return
	}
	end := len(line)
	if last > first && bytes.HasPrefix(line[last+1:], []byte("HTTP/")) {
		a.set(Protocol, p.part(last+1, end))
		end = last
	}
	a.set(Method, p.part(0, first))
	a.set(URI, p.part(first+1, end))
}

func isToken(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// lookup knows the keys of log formats: the agent's own short ones and the names of NGINX's variables.
func lookup(key []byte) Field {
	switch string(key) {
	case "ts", "time", "timestamp", "time_iso8601", "@timestamp":
		return timestamp
	case "msec", "time_msec":
		return msec
	case "time_local":
		return timeLocal
	case "req_id", "request_id", "rid":
		return RequestID
	case "client", "remote_addr":
		return RemoteAddr
	case "xff", "http_x_forwarded_for", "x_forwarded_for":
		return ForwardedFor
	case "method", "request_method":
		return Method
	case "path", "uri", "request_uri":
		return URI
	case "request":
		return request
	case "status":
		return status
	case "bytes", "body_bytes_sent":
		return bodyBytes
	case "sent", "bytes_sent":
		return bytesSent
	case "rt", "request_time":
		return requestTime
	case "uct", "upstream_connect_time":
		return UpstreamConnectTime
	case "uht", "upstream_header_time":
		return UpstreamHeaderTime
	case "urt", "upstream_response_time":
		return UpstreamResponseTime
	case "upstream", "upstream_addr":
		return UpstreamAddr
	case "ustatus", "upstream_status":
		return UpstreamStatus
	case "referer", "http_referer", "http_referrer":
		return Referer
	case "ua", "http_user_agent", "user_agent":
		return UserAgent
	case "host", "http_host":
		return Host
	case "scheme":
		return Scheme
	case "proto", "protocol", "server_protocol":
		return Protocol
	case "cache", "cache_status", "upstream_cache_status":
		return CacheStatus
	case "trace_id", "otel_trace_id":
		return TraceID
	case "span_id", "otel_span_id":
		return SpanID
	case "traceparent", "http_traceparent":
		return Traceparent
	}
	return none
}
