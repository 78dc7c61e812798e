// Package translate turns what agents send into OpenTelemetry data.
//
// An [Agent] holds what is known of the agent behind a stream, a [Batch] collects what it sends. Neither is safe for
// concurrent use. What a batch hands out is read-only and may be kept by consumers for as long as they like.
package translate

import (
	"net/netip"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
)

// Settings are shared by all streams.
type Settings struct {
	// Logs, Metrics and Spans say which telemetry somebody wants.
	Logs, Metrics, Spans bool
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Labels is how many labels of an agent are kept.
	Labels int
	// Version is that of the receiver, for the instrumentation scope.
	Version string
}

// Counts is what a batch holds and what was left out of it.
type Counts struct {
	Records, Spans, Points int
	// UnparsedAccess and UnparsedError count the lines that were kept as they are.
	UnparsedAccess, UnparsedError int
	// RefusedValues counts values that cannot be true.
	RefusedValues int
}

// Batch collects the telemetry of one stream. The zero value with Settings is ready for use.
type Batch struct {
	Settings *Settings
	Counts   Counts

	slab     pdataslab.Slab
	records  []*pdataslab.LogRecord
	spans    []*pdataslab.Span
	samples  pmetric.Metrics
	sampled  []pdataslab.KeyValue
	segments []segment
	expect   int

	access logline.Access
	line   logline.Error
}

// A segment begins where the agent's resource has changed.
type segment struct {
	resource      []pdataslab.KeyValue
	record, spans int
}

// Data is what a batch has become. A signal that has nothing is the zero value.
type Data struct {
	Logs    plog.Logs
	Traces  ptrace.Traces
	Metrics pmetric.Metrics
	Counts  Counts
}

// begin makes what follows belong to the agent's present resource.
func (b *Batch) begin(agent *Agent) {
	if n := len(b.segments); n > 0 && sameSlice(b.segments[n-1].resource, agent.resource) {
		return
	}
	b.segments = append(b.segments, segment{agent.resource, len(b.records), len(b.spans)})
}

func sameSlice(a, b []pdataslab.KeyValue) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// Empty reports whether there is nothing in the batch.
func (b *Batch) Empty() bool { return b.Counts == Counts{} }

// Seal returns what was collected and makes the batch empty.
func (b *Batch) Seal() Data {
	data := Data{Counts: b.Counts}
	if len(b.records) > 0 {
		data.Logs = b.sealLogs()
	}
	if len(b.spans) > 0 {
		data.Traces = b.sealSpans()
	}
	if b.Counts.Points > 0 {
		b.samples.MarkReadOnly()
		data.Metrics = b.samples
	}
	b.expect = len(b.records)
	b.Counts, b.records, b.spans = Counts{}, nil, nil
	clear(b.segments)
	b.segments = b.segments[:0]
	b.samples, b.sampled = pmetric.Metrics{}, nil
	b.slab.Release()
	return data
}

func (b *Batch) sealLogs() plog.Logs {
	logs := plog.NewLogs()
	for i, s := range b.segments {
		end := len(b.records)
		if i+1 < len(b.segments) {
			end = b.segments[i+1].record
		}
		if s.record == end {
			continue
		}
		resource := logs.ResourceLogs().AppendEmpty()
		resource.SetSchemaUrl(nginxsemconv.SchemaURL)
		pdataslab.Attributes(resource.Resource().Attributes(), s.resource)
		scope := resource.ScopeLogs().AppendEmpty()
		scope.SetSchemaUrl(nginxsemconv.SchemaURL)
		scope.Scope().SetName(nginxsemconv.ScopeName)
		scope.Scope().SetVersion(b.Settings.Version)
		pdataslab.Logs(scope.LogRecords(), b.records[s.record:end:end])
	}
	logs.MarkReadOnly()
	return logs
}

func (b *Batch) sealSpans() ptrace.Traces {
	traces := ptrace.NewTraces()
	for i, s := range b.segments {
		end := len(b.spans)
		if i+1 < len(b.segments) {
			end = b.segments[i+1].spans
		}
		if s.spans == end {
			continue
		}
		resource := traces.ResourceSpans().AppendEmpty()
		resource.SetSchemaUrl(nginxsemconv.SchemaURL)
		pdataslab.Attributes(resource.Resource().Attributes(), s.resource)
		scope := resource.ScopeSpans().AppendEmpty()
		scope.SetSchemaUrl(nginxsemconv.SchemaURL)
		scope.Scope().SetName(nginxsemconv.ScopeName)
		scope.Scope().SetVersion(b.Settings.Version)
		pdataslab.Spans(scope.Spans(), b.spans[s.spans:end:end])
	}
	traces.MarkReadOnly()
	return traces
}

// add appends a record, in room for as many as the last batch had.
func (b *Batch) add(record *pdataslab.LogRecord) {
	if b.records == nil {
		b.records = make([]*pdataslab.LogRecord, 0, max(b.expect, 1))
	}
	b.records = append(b.records, record)
	b.Counts.Records++
}
