package translate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
)

const (
	kindServer = 2
	kindClient = 3
	codeError  = 2
)

// ids are the identifiers of a request's trace.
type ids struct {
	trace        [16]byte
	span, parent [8]byte
	flags        uint32
	// emit is false when somebody else has made the server span, or there is no trace.
	emit bool
}

// traceIDs finds the trace of a request: first match wins.
func traceIDs(agent uint64, access *logline.Access, requestID string) (found ids) {
	if decodeID(found.trace[:], access.Bytes(logline.TraceID)) {
		decodeID(found.span[:], access.Bytes(logline.SpanID))
		return found
	}
	if parseTraceparent(&found, access.Bytes(logline.Traceparent)) {
		found.emit = true
	} else if requestID != "" {
		found.trace, found.emit = requestTrace(requestID), true
	} else {
		return found
	}
	found.span = derive(found.trace, agent, 0)
	return found
}

// decodeID reads hex digits that are not all zero; to is zero when they are not that.
func decodeID(to, text []byte) bool {
	if len(text) != 2*len(to) {
		return false
	}
	if _, err := hex.Decode(to, text); err != nil {
		clear(to)
		return false
	}
	for _, c := range to {
		if c != 0 {
			return true
		}
	}
	return false
}

// parseTraceparent reads a W3C traceparent: version, trace, parent, flags.
func parseTraceparent(to *ids, text []byte) bool {
	const length = len("00-00000000000000000000000000000000-0000000000000000-00")
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' || string(text[:2]) == "ff" {
		return false
	}
	var flags [1]byte
	if _, err := hex.Decode(flags[:], text[53:55]); err != nil {
		return false
	}
	if !decodeID(to.trace[:], text[3:35]) || !decodeID(to.parent[:], text[36:52]) {
		to.trace, to.parent = [16]byte{}, [8]byte{}
		return false
	}
	to.flags = uint32(flags[0])
	return true
}

// requestTrace makes a request id a trace id: 32 hex digits as they are, anything else hashed.
func requestTrace(id string) (trace [16]byte) {
	if decodeID(trace[:], raw(id)) {
		return trace
	}
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		if decodeID(trace[:], bytes.ReplaceAll(raw(id), []byte("-"), nil)) {
			return trace
		}
	}
	sum := sha256.Sum256(raw(id))
	return [16]byte(sum[:16])
}

// derive makes the id of a span from its trace, its agent and its role in the request, so that a replayed line makes
// the same span. Roles: 0 is the server span, n the nth upstream attempt.
func derive(trace [16]byte, agent, role uint64) (span [8]byte) {
	h := mix(agent ^ binary.BigEndian.Uint64(trace[:8]))
	h = mix(h ^ binary.BigEndian.Uint64(trace[8:]) + role*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(span[:], max(h, 1))
	return span
}

// mix is the finalizer of SplitMix64.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// requestSpans adds the server span of a request that ended at the given Unix time in nanoseconds, and a
// client span for each upstream that was tried.
func (t *Translator) requestSpans(r *request, trace *ids, end uint64) {
	slab := &t.slab
	span := t.addSpan(trace, trace.span, trace.parent, end, r.time)
	span.Name, span.Kind = spanName(r), kindServer
	if r.status >= 500 {
		span.Status.Code = codeError
	}
	slab.Open(20)
	t.putRequest(r)
	span.Attributes = slab.Close()
	if len(r.upstreams) > 0 {
		t.attemptSpans(r, trace, span)
	}
}

func spanName(r *request) string {
	switch r.method.name {
	case "", otherMethod:
		return "HTTP"
	default:
		return r.method.name
	}
}

func (t *Translator) addSpan(trace *ids, id, parent [8]byte, end uint64, seconds float64) *pdataslab.Span {
	span := t.slab.Span()
	span.TraceID, span.SpanID, span.ParentID, span.Flags = trace.trace, id, parent, trace.flags
	span.End = end
	span.Start = end - min(nanoseconds(seconds), end)
	t.spans = append(t.spans, span)
	return span
}

func nanoseconds(seconds float64) uint64 {
	if seconds <= 0 {
		return 0
	}
	return uint64(math.Round(min(seconds, float64(maxUnix)) * 1e9))
}

// attemptSpans lays the attempts back from the end of the request by their response times.
func (t *Translator) attemptSpans(r *request, trace *ids, server *pdataslab.Span) {
	n := countAttempts(r.upstreams)
	from := len(t.spans)
	addresses, codes, times := r.upstreams, r.upstreamStatus, r.response
	for i := range n {
		var address, code, duration []byte
		address, addresses, _ = logline.NextAttempt(addresses)
		code, codes, _ = logline.NextAttempt(codes)
		duration, times, _ = logline.NextAttempt(times)
		seconds := logline.ParseDuration(duration)
		if len(r.response) == 0 {
			seconds = r.responseTime
		}
		span := t.addSpan(trace, derive(trace.trace, t.resource.agent, uint64(i)+1), trace.span, server.End, seconds)
		span.Name, span.Kind = server.Name, kindClient
		t.attemptAttributes(span, r, address, logline.ParseStatus(code), i)
	}
	end := server.End
	for i := len(t.spans) - 1; i >= from; i-- {
		span := t.spans[i]
		span.Start, span.End = max(end-min(span.End-span.Start, end), server.Start), end
		end = span.Start
	}
}

func (t *Translator) attemptAttributes(span *pdataslab.Span, r *request, address []byte, code int64, attempt int) {
	if code >= 400 {
		span.Status.Code = codeError
	}
	slab := &t.slab
	slab.Open(10)
	if r.method.name != "" {
		slab.Put("http.request.method", r.method.value)
	}
	t.putStatus(code, 400)
	peer := t.text(address)
	t.putHost(peer)
	slab.PutString("network.peer.address", peer)
	if attempt > 0 {
		slab.Put("http.request.resend_count", slab.Int(int64(attempt)))
	}
	slab.PutString(nginxsemconv.RequestID, r.id)
	span.Attributes = slab.Close()
}
