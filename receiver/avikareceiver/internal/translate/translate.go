// Package translate turns what agents send into OpenTelemetry data.
//
// An [Agent] holds what is known of the agent behind a stream. A [Translator] makes logs and spans of log entries, and metrics of
// samples. Neither is safe for concurrent use. What they return is read-only and may be kept by consumers for as
// long as they like: nothing in it points into the messages it came from.
package translate

import (
	"net/netip"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
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

// Entry is a log entry as it was received.
type Entry struct {
	// Encoded is the LogEntry message. It must not change until it has been translated.
	Encoded []byte
	// Queued is the time of the message in Unix seconds, Received that of receipt in Unix nanoseconds.
	Queued, Received int64
}

// Segment says whose entries follow, from an index on.
type Segment struct {
	Resource *Resource
	From     int
}

// Batch is what one stream has collected. The first segment starts at index 0.
type Batch struct {
	Entries  []Entry
	Segments []Segment
}

// Counts is what log entries have become and what was left out of them.
type Counts struct {
	Records, Spans int
	// Malformed counts entries that are no LogEntry message.
	Malformed int
	// UnparsedAccess and UnparsedError count the lines that were kept as they are.
	UnparsedAccess, UnparsedError int
	// RefusedValues counts values that cannot be true.
	RefusedValues int
}

// Translator makes logs and spans of log entries. It can be used for one stream after another.
type Translator struct {
	settings *Settings
	slab     pdataslab.Slab
	// lasting is for values that are remembered.
	lasting  pdataslab.Slab
	reuse    bool
	records  []*pdataslab.LogRecord
	spans    []*pdataslab.Span
	resource *Resource
	counts   Counts

	entry     wire.LogEntry
	access    logline.Access
	line      logline.Error
	upstreams memo
	hosts     memo
}

// NewTranslator returns a translator for any stream with these settings. With reuse, Done must be called before each further
// translation.
func NewTranslator(settings *Settings, reuse bool) *Translator {
	t := &Translator{settings: settings, reuse: reuse}
	if reuse {
		t.slab.Keep()
	}
	return t
}

// Done tells what became of the last translation: whether all consumers have let go of it, so that its memory can be used again.
func (t *Translator) Done(released bool) {
	if released {
		t.slab.Recycle()
		return
	}
	t.slab.Forget()
	t.records, t.spans = nil, nil
}

// Translate makes logs and spans of the entries of streams.
func (t *Translator) Translate(batches ...Batch) (plog.Logs, ptrace.Traces, Counts) {
	logs, traces := plog.NewLogs(), ptrace.NewTraces()
	t.counts = Counts{}
	t.makeRoom(batches)
	for i := range batches {
		t.batch(logs, traces, &batches[i])
	}
	if !t.reuse {
		t.records, t.spans = nil, nil
	}
	logs.MarkReadOnly()
	traces.MarkReadOnly()
	return logs, traces, t.counts
}

func (t *Translator) makeRoom(batches []Batch) {
	entries := 0
	for i := range batches {
		entries += len(batches[i].Entries)
	}
	if t.settings.Logs {
		t.records = slices.Grow(t.records[:0], entries)
	}
	if t.settings.Spans {
		t.spans = slices.Grow(t.spans[:0], 2*entries)
	}
}

func (t *Translator) batch(logs plog.Logs, traces ptrace.Traces, batch *Batch) {
	for i, segment := range batch.Segments {
		end := len(batch.Entries)
		if i+1 < len(batch.Segments) {
			end = batch.Segments[i+1].From
		}
		t.segment(logs, traces, segment.Resource, batch.Entries[segment.From:end])
	}
}

func (t *Translator) segment(logs plog.Logs, traces ptrace.Traces, resource *Resource, entries []Entry) {
	t.resource = resource
	records, spans := len(t.records), len(t.spans)
	for i := range entries {
		t.translate(&entries[i])
	}
	if len(t.records) > records {
		t.addLogs(logs, slices.Clip(t.records[records:]))
	}
	if len(t.spans) > spans {
		t.addSpans(traces, slices.Clip(t.spans[spans:]))
	}
	t.resource, t.entry = nil, wire.LogEntry{}
}

func (t *Translator) addLogs(logs plog.Logs, records []*pdataslab.LogRecord) {
	resource := logs.ResourceLogs().AppendEmpty()
	resource.SetSchemaUrl(nginxsemconv.SchemaURL)
	pdataslab.Attributes(resource.Resource().Attributes(), t.resource.attributes)
	scope := resource.ScopeLogs().AppendEmpty()
	scope.SetSchemaUrl(nginxsemconv.SchemaURL)
	t.settings.nameScope(scope.Scope())
	pdataslab.Logs(scope.LogRecords(), records)
	t.counts.Records += len(records)
}

func (t *Translator) addSpans(traces ptrace.Traces, spans []*pdataslab.Span) {
	resource := traces.ResourceSpans().AppendEmpty()
	resource.SetSchemaUrl(nginxsemconv.SchemaURL)
	pdataslab.Attributes(resource.Resource().Attributes(), t.resource.attributes)
	scope := resource.ScopeSpans().AppendEmpty()
	scope.SetSchemaUrl(nginxsemconv.SchemaURL)
	t.settings.nameScope(scope.Scope())
	pdataslab.Spans(scope.Spans(), spans)
	t.counts.Spans += len(spans)
}

func (s *Settings) nameScope(scope pcommon.InstrumentationScope) {
	scope.SetName(nginxsemconv.ScopeName)
	scope.SetVersion(s.Version)
}
