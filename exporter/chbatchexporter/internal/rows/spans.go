package rows

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Spans builds rows of otel_traces.
type Spans struct {
	fields
	scratch []byte

	timestamp, duration              *nativeblock.Fixed
	traceID, spanID, parentID, state *nativeblock.String
	name, kind, service, status      *nativeblock.LowCardinality
	scopeName, scopeVersion, message *nativeblock.String
	resource, attrs                  *attributes
	eventTime                        *nativeblock.Array[*nativeblock.Fixed]
	eventName                        *nativeblock.Array[*nativeblock.LowCardinality]
	eventAttrs, linkAttrs            *nativeblock.Array[*nativeblock.Map]
	linkTrace, linkSpan, linkState   *nativeblock.Array[*nativeblock.String]
}

const lowMapType = "Map(LowCardinality(String), String)"

func newSpans() *Spans {
	t := &Spans{}
	f := &t.fields
	t.timestamp, t.traceID, t.spanID = t.nanos("Timestamp"), t.str("TraceId"), t.str("SpanId")
	t.parentID, t.state = t.str("ParentSpanId"), t.str("TraceState")
	t.name, t.kind, t.service = t.low("SpanName"), t.low("SpanKind"), t.low("ServiceName")
	t.resource = newAttributes(f, "ResourceAttributes")
	t.scopeName, t.scopeVersion, t.attrs = t.str("ScopeName"), t.str("ScopeVersion"), newAttributes(f, "SpanAttributes")
	t.duration, t.status, t.message = t.uint64("Duration"), t.low("StatusCode"), t.str("StatusMessage")
	t.eventTime = array(f, "Events.Timestamp", "DateTime64(9)", nativeblock.NewFixed(8))
	t.eventName = array(f, "Events.Name", "LowCardinality(String)", nativeblock.NewLowCardinality())
	t.eventAttrs = array(f, "Events.Attributes", lowMapType, nativeblock.NewMap())
	t.linkTrace = array(f, "Links.TraceId", "String", nativeblock.NewString())
	t.linkSpan = array(f, "Links.SpanId", "String", nativeblock.NewString())
	t.linkState = array(f, "Links.TraceState", "String", nativeblock.NewString())
	t.linkAttrs = array(f, "Links.Attributes", lowMapType, nativeblock.NewMap())
	return t
}

// Block implements Builder.
func (t *Spans) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Spans) Reset() {
	t.block.Reset()
	t.resource.last = nil
}

// Append adds a span.
func (t *Spans) Append(res *Resource, scope *Scope, s ptrace.Span) {
	t.block.Rows++
	t.timestamp.Append64(nanos(s.StartTimestamp()))
	appendTraceID(t.traceID, s.TraceID())
	appendSpanID(t.spanID, s.SpanID())
	appendSpanID(t.parentID, s.ParentSpanID())
	t.state.Append(s.TraceState().AsRaw())
	t.name.Append(s.Name())
	t.kind.Append(s.Kind().String())
	t.service.Append(res.Service)
	t.resource.appendOf(res, res.Attributes)
	t.scopeName.Append(scope.Name())
	t.scopeVersion.Append(scope.Version())
	t.attrs.append(s.Attributes())
	t.duration.Append64(duration(s))
	t.status.Append(s.Status().Code().String())
	t.message.Append(s.Status().Message())
	t.appendEvents(s.Events())
	t.appendLinks(s.Links())
}

// duration in ns; 0 for a span that ends before it starts.
func duration(s ptrace.Span) uint64 {
	if s.EndTimestamp() < s.StartTimestamp() {
		return 0
	}
	return uint64(s.EndTimestamp() - s.StartTimestamp())
}

func (t *Spans) appendEvents(events ptrace.SpanEventSlice) {
	for i := range events.Len() {
		e := events.At(i)
		t.eventTime.Values.Append64(nanos(e.Timestamp()))
		t.eventName.Values.Append(e.Name())
		appendAttributes(t.eventAttrs.Values, &t.scratch, e.Attributes())
	}
	t.eventTime.End()
	t.eventName.End()
	t.eventAttrs.End()
}

func (t *Spans) appendLinks(links ptrace.SpanLinkSlice) {
	for i := range links.Len() {
		l := links.At(i)
		appendTraceID(t.linkTrace.Values, l.TraceID())
		appendSpanID(t.linkSpan.Values, l.SpanID())
		t.linkState.Values.Append(l.TraceState().AsRaw())
		appendAttributes(t.linkAttrs.Values, &t.scratch, l.Attributes())
	}
	t.linkTrace.End()
	t.linkSpan.End()
	t.linkState.End()
	t.linkAttrs.End()
}
