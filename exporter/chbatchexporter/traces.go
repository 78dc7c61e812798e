package chbatchexporter

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

type tracesExporter struct{ *signalExporter }

// ConsumeTraces returns when the spans are as safe as configured.
func (e *tracesExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	n := td.SpanCount()
	if n == 0 {
		return nil
	}
	call, err := e.begin(ctx, n)
	if err != nil {
		return err
	}
	w := e.window()
	for _, rs := range td.ResourceSpans().All() {
		res := rows.NewResource(rs.Resource().Attributes(), rs.SchemaUrl())
		shard := e.router.shard(res)
		for _, ss := range rs.ScopeSpans().All() {
			scope := &rows.Scope{InstrumentationScope: ss.Scope(), SchemaURL: ss.SchemaUrl()}
			appendSpans(call, w, shard, res, scope, ss.Spans())
		}
	}
	return e.finish(ctx, call, n)
}

// appendSpans locks the table's block once for a run of spans that belong there.
func appendSpans(call *blockqueue.Call, w window, shard int, res *rows.Resource, scope *rows.Scope, spans ptrace.SpanSlice) {
	var lane *blockqueue.Lane
	stray := false
	for _, span := range spans.All() {
		at := span.StartTimestamp()
		if s := w.stray(at); lane == nil || s != stray {
			if lane != nil {
				lane.Unlock()
			}
			lane, stray = call.Lane(rows.OTelTraces, shard, s), s
		}
		if b, ok := lane.Builder().(*rows.Spans); ok {
			b.Append(res, scope, span)
		}
		lane.Added(at)
	}
	if lane != nil {
		lane.Unlock()
	}
}
