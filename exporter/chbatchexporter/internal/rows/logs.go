package rows

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Logs builds rows of otel_logs.
type Logs struct {
	fields
	scratch []byte

	timestamp                                *nativeblock.Fixed
	traceID, spanID, body, scopeName, event  *nativeblock.String
	flags, severityNumber                    *nativeblock.Fixed
	severity, service, resourceURL, scopeURL *nativeblock.LowCardinality
	scopeVersion                             *nativeblock.LowCardinality
	resource, scope, attrs                   *attributes
}

func newLogs() *Logs {
	t := &Logs{}
	t.timestamp, t.traceID, t.spanID = t.nanos("Timestamp"), t.str("TraceId"), t.str("SpanId")
	t.flags, t.severity, t.severityNumber = t.uint8("TraceFlags"), t.low("SeverityText"), t.uint8("SeverityNumber")
	t.service, t.body, t.resourceURL = t.low("ServiceName"), t.str("Body"), t.low("ResourceSchemaUrl")
	t.resource, t.scopeURL = newAttributes(&t.fields, "ResourceAttributes"), t.low("ScopeSchemaUrl")
	t.scopeName, t.scopeVersion = t.str("ScopeName"), t.low("ScopeVersion")
	t.scope, t.attrs = newAttributes(&t.fields, "ScopeAttributes"), newAttributes(&t.fields, "LogAttributes")
	t.event = t.str("EventName")
	return t
}

// Block implements Builder.
func (t *Logs) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Logs) Reset() {
	t.block.Reset()
	t.resource.last, t.scope.last = nil, nil
}

// Append adds a log record.
func (t *Logs) Append(res *Resource, scope *Scope, rec plog.LogRecord) {
	t.block.Rows++
	t.timestamp.Append64(nanos(recordTime(rec)))
	appendTraceID(t.traceID, rec.TraceID())
	appendSpanID(t.spanID, rec.SpanID())
	t.flags.Append8(uint8(rec.Flags()))
	t.severity.Append(rec.SeverityText())
	t.severityNumber.Append8(uint8(rec.SeverityNumber()))
	t.service.Append(res.Service)
	appendValue(t.body, &t.scratch, rec.Body())
	t.resourceURL.Append(res.SchemaURL)
	t.resource.appendOf(res, res.Attributes)
	t.scopeURL.Append(scope.SchemaURL)
	t.scopeName.Append(scope.Name())
	t.scopeVersion.Append(scope.Version())
	t.scope.appendOf(scope, scope.Attributes())
	t.attrs.append(rec.Attributes())
	t.event.Append(rec.EventName())
}
