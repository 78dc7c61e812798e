package rows

import "go.opentelemetry.io/collector/pdata/pcommon"

// accessRow is one record while its attributes are read, in whatever order they come. Strings refer to the record.
type accessRow struct {
	method, originalMethod, path, query           string
	remote, client, requestID, userAgent, referer string
	host, scheme, protocol, cache                 string
	forwarded                                     string
	status, bytes                                 int64
	requestTime                                   float64
	upstreams, statuses                           pcommon.Value
	hasUpstreams, hasStatuses                     bool
	connect, header, response                     float64
	agent                                         UserAgent
	agentSet                                      bool
	place                                         Location
	placeSet                                      bool
}

// read takes what a record says, each attribute once.
func (r *accessRow) read(m pcommon.Map) {
	for k, v := range m.All() {
		switch attributeOf(k) {
		case attrMethod:
			r.method = text(v)
		case attrOriginalMethod:
			r.originalMethod = text(v)
		case attrPath:
			r.path = text(v)
		case attrQuery:
			r.query = text(v)
		case attrStatus:
			r.status = integer(v)
		case attrBodySize:
			r.bytes = integer(v)
		case attrRequestTime:
			r.requestTime = float(v)
		case attrPeer:
			r.remote = text(v)
		case attrClient:
			r.client = text(v)
		case attrUserAgent:
			r.userAgent = text(v)
		case attrReferer:
			r.referer = joined(v)
		case attrForwarded:
			r.forwarded = joined(v)
		case attrRequestID:
			r.requestID = text(v)
		case attrHost:
			r.host = text(v)
		case attrScheme:
			r.scheme = text(v)
		case attrProtocol:
			r.protocol = text(v)
		case attrCache:
			r.cache = text(v)
		case attrUpstreams:
			r.upstreams, r.hasUpstreams = v, true
		case attrUpstreamStatus:
			r.statuses, r.hasStatuses = v, true
		case attrConnectTime:
			r.connect = total(v)
		case attrHeaderTime:
			r.header = total(v)
		case attrResponseTime:
			r.response = total(v)
		case attrOther:
			r.readClient(k, v)
		}
	}
}

// total is the time of all attempts; attempts that were not made have a negative time.
func total(v pcommon.Value) float64 {
	if v.Type() != pcommon.ValueTypeSlice {
		return max(float(v), 0)
	}
	var sum float64
	s := v.Slice()
	for i := range s.Len() {
		sum += max(float(s.At(i)), 0)
	}
	return sum
}

// joined reads a header, which is a string or, by the semantic conventions, an array.
func joined(v pcommon.Value) string {
	if v.Type() != pcommon.ValueTypeSlice {
		return text(v)
	}
	if v.Slice().Len() == 1 {
		return text(v.Slice().At(0))
	}
	return string(appendAttempts(nil, v))
}

// readClient reads what an SDK or a processor found out about the client: semantic conventions and the names of
// contrib's geoip processor.
func (r *accessRow) readClient(k string, v pcommon.Value) {
	switch k {
	case "geo.country.name", "geo.country_name":
		r.place.Country, r.placeSet = text(v), true
	case "geo.country.iso_code", "geo.country_iso_code":
		r.place.CountryCode, r.placeSet = text(v), true
	case "geo.locality.name", "geo.city_name":
		r.place.City, r.placeSet = text(v), true
	case "geo.region.name", "geo.region_name", "geo.region.iso_code":
		r.place.Region, r.placeSet = text(v), true
	case "geo.location.lat":
		r.place.Latitude, r.placeSet = float(v), true
	case "geo.location.lon":
		r.place.Longitude, r.placeSet = float(v), true
	case "geo.timezone":
		r.place.Timezone, r.placeSet = text(v), true
	case "geo.isp", "as.organization.name":
		r.place.ISP, r.placeSet = text(v), true
	case "user_agent.name":
		r.agent.Browser, r.agentSet = text(v), true
	case "user_agent.version":
		r.agent.BrowserVersion, r.agentSet = text(v), true
	case "user_agent.os.name", "os.name":
		r.agent.OS, r.agentSet = text(v), true
	case "user_agent.os.version", "os.version":
		r.agent.OSVersion, r.agentSet = text(v), true
	case "user_agent.synthetic.type":
		r.agent.Bot, r.agentSet = true, true
	}
}
