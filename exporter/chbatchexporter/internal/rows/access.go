package rows

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Access builds rows of access_logs.
type Access struct {
	fields
	enrich  Enricher
	agents  *agentMemo
	scratch []byte

	timestamp                                                   *nativeblock.Fixed
	instance, method, upstreamStatus                            *nativeblock.LowCardinality
	remote, uri, requestID, upstream, userAgent, referer        *nativeblock.String
	status                                                      *nativeblock.Fixed
	bytes                                                       *nativeblock.Fixed
	requestTime, connectTime, headerTime, responseTime          *nativeblock.Fixed
	labels                                                      *labels
	clientIP, country, countryCode, city, region, timezone, isp *nativeblock.String
	latitude, longitude                                         *nativeblock.Fixed
	bot                                                         *nativeblock.Fixed
	browser, browserVersion, os, osVersion, device              *nativeblock.String
	traceID, spanID, forwarded, raw                             *nativeblock.String
	host, scheme, protocol, cache                               *nativeblock.LowCardinality
}

func newAccess(o Options) *Access {
	t := &Access{enrich: o.Enrich, agents: newAgentMemo()}
	t.timestamp = t.millis("timestamp")
	t.instance = t.low("instance_id")
	t.remote, t.method, t.uri = t.str("remote_addr"), t.low("request_method"), t.str("request_uri")
	t.status, t.bytes, t.requestTime = t.uint16("status"), t.uint64("body_bytes_sent"), t.float32("request_time")
	t.requestID, t.upstream, t.upstreamStatus = t.str("request_id"), t.str("upstream_addr"), t.low("upstream_status")
	t.connectTime, t.headerTime = t.float32("upstream_connect_time"), t.float32("upstream_header_time")
	t.responseTime = t.float32("upstream_response_time")
	t.userAgent, t.referer, t.labels, t.clientIP = t.str("user_agent"), t.str("referer"), newLabels(&t.fields), t.str("client_ip")
	t.country, t.countryCode, t.city, t.region = t.str("country"), t.str("country_code"), t.str("city"), t.str("region")
	t.latitude, t.longitude = t.float64("latitude"), t.float64("longitude")
	t.timezone, t.isp, t.bot = t.str("timezone"), t.str("isp"), t.uint8("is_bot")
	t.browser, t.browserVersion = t.str("browser_family"), t.str("browser_version")
	t.os, t.osVersion, t.device = t.str("os_family"), t.str("os_version"), t.str("device_type")
	t.traceID, t.spanID, t.host, t.scheme = t.str("trace_id"), t.str("span_id"), t.low("host"), t.low("scheme")
	t.protocol, t.cache, t.forwarded, t.raw = t.low("protocol"), t.low("cache_status"), t.str("x_forwarded_for"), t.str("raw")
	return t
}

// Block implements Builder.
func (t *Access) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Access) Reset() {
	t.block.Reset()
	t.labels.last = nil
}

// Append adds an access record.
func (t *Access) Append(res *Resource, rec plog.LogRecord) {
	var r accessRow // not in t: the garbage collector would have to be told of each pointer in it
	r.read(rec.Attributes())
	t.enrichRow(&r)
	t.block.Rows++
	t.timestamp.Append64(millis(recordTime(rec)))
	t.instance.Append(res.Instance)
	t.appendRequest(&r)
	t.appendUpstream(&r)
	t.labels.append(res)
	t.appendClient(&r)
	t.appendTrace(rec)
	t.host.Append(r.host)
	t.scheme.Append(r.scheme)
	t.appendProtocol(&r)
	t.cache.Append(r.cache)
	t.forwarded.Append(r.forwarded)
	t.appendRaw(&r, rec)
}

func recordTime(rec plog.LogRecord) pcommon.Timestamp {
	if ts := rec.Timestamp(); ts != 0 {
		return ts
	}
	return rec.ObservedTimestamp()
}

func (t *Access) appendRequest(r *accessRow) {
	t.remote.Append(r.remote)
	if r.originalMethod != "" {
		r.method = r.originalMethod
	}
	t.method.Append(r.method)
	if r.query == "" {
		t.uri.Append(r.path)
	} else {
		t.scratch = append(append(append(t.scratch[:0], r.path...), '?'), r.query...)
		t.uri.AppendBytes(t.scratch)
	}
	t.status.Append16(uint16(clamp(r.status, math.MaxUint16)))
	t.bytes.Append64(clamp(r.bytes, math.MaxUint64))
	t.requestTime.AppendFloat32(float32(r.requestTime))
	t.requestID.Append(r.requestID)
	t.userAgent.Append(r.userAgent)
	t.referer.Append(r.referer)
}

func (t *Access) appendUpstream(r *accessRow) {
	t.scratch = t.scratch[:0]
	if r.hasUpstreams {
		t.scratch = appendAttempts(t.scratch, r.upstreams)
	}
	t.upstream.AppendBytes(t.scratch)
	if r.hasStatuses {
		t.upstreamStatus.Append(attemptStatuses(&t.scratch, r.statuses))
	} else {
		t.upstreamStatus.Append("")
	}
	t.connectTime.AppendFloat32(float32(r.connect))
	t.headerTime.AppendFloat32(float32(r.header))
	t.responseTime.AppendFloat32(float32(r.response))
}

// appendAttempts joins the values of all attempts as NGINX does.
func appendAttempts(b []byte, v pcommon.Value) []byte {
	if v.Type() != pcommon.ValueTypeSlice {
		return appendText(b, v)
	}
	s := v.Slice()
	for i := range s.Len() {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendText(b, s.At(i))
	}
	return b
}

// commonStatuses spares a string for the usual upstream that answered at once.
var commonStatuses = func() (s [600]string) {
	for i := range s {
		s[i] = strconv.Itoa(i)
	}
	return s
}()

func attemptStatuses(scratch *[]byte, v pcommon.Value) string {
	if v.Type() == pcommon.ValueTypeSlice && v.Slice().Len() == 1 {
		if n := integer(v.Slice().At(0)); n > 0 && n < int64(len(commonStatuses)) {
			return commonStatuses[n]
		}
	}
	b := (*scratch)[:0]
	if v.Type() != pcommon.ValueTypeSlice {
		b = appendText(b, v)
	} else {
		for i := range v.Slice().Len() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendStatus(b, v.Slice().At(i))
		}
	}
	*scratch = b
	return string(b)
}

// appendStatus writes "-" for the 0 of an attempt without an answer, as NGINX does.
func appendStatus(b []byte, v pcommon.Value) []byte {
	if v.Type() == pcommon.ValueTypeInt && v.Int() == 0 {
		return append(b, '-')
	}
	return appendText(b, v)
}

func (t *Access) appendClient(r *accessRow) {
	t.clientIP.Append(r.client)
	p := &r.place
	t.country.Append(p.Country)
	t.countryCode.Append(p.CountryCode)
	t.city.Append(p.City)
	t.region.Append(p.Region)
	t.latitude.AppendFloat64(p.Latitude)
	t.longitude.AppendFloat64(p.Longitude)
	t.timezone.Append(p.Timezone)
	t.isp.Append(p.ISP)
	t.bot.AppendBool(r.agent.Bot)
	t.browser.Append(r.agent.Browser)
	t.browserVersion.Append(r.agent.BrowserVersion)
	t.os.Append(r.agent.OS)
	t.osVersion.Append(r.agent.OSVersion)
	t.device.Append(r.agent.Device)
}

func (t *Access) enrichRow(r *accessRow) {
	if r.client == "" {
		r.client = r.remote
	}
	if t.enrich == nil {
		return
	}
	if !r.agentSet && r.userAgent != "" {
		r.agent = t.agents.describe(r.userAgent, t.enrich)
	}
	if !r.placeSet && r.client != "" {
		r.place = t.enrich.Address(r.client)
	}
}

func (t *Access) appendTrace(rec plog.LogRecord) {
	appendTraceID(t.traceID, rec.TraceID())
	appendSpanID(t.spanID, rec.SpanID())
}

func appendTraceID(c *nativeblock.String, id pcommon.TraceID) {
	if id.IsEmpty() {
		c.Append("")
		return
	}
	c.AppendHex(id[:])
}

func appendSpanID(c *nativeblock.String, id pcommon.SpanID) {
	if id.IsEmpty() {
		c.Append("")
		return
	}
	c.AppendHex(id[:])
}

func (t *Access) appendProtocol(r *accessRow) {
	if r.protocol == "" {
		t.protocol.Append("")
		return
	}
	switch r.protocol {
	case "1.1":
		t.protocol.Append("HTTP/1.1")
	case "2", "2.0":
		t.protocol.Append("HTTP/2.0")
	case "3", "3.0":
		t.protocol.Append("HTTP/3.0")
	default:
		t.protocol.Append("HTTP/" + r.protocol)
	}
}

// appendRaw keeps the line when it did not parse.
func (t *Access) appendRaw(r *accessRow, rec plog.LogRecord) {
	if r.method != "" || r.status != 0 {
		t.raw.Append("")
		return
	}
	appendValue(t.raw, &t.scratch, rec.Body())
}
