package chbatchexporter

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"

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
	for _, rs := range td.ResourceSpans().All() {
		res := rows.NewResource(rs.Resource().Attributes(), rs.SchemaUrl())
		lane := call.Lane(rows.OTelTraces, e.router.shard(res))
		for _, ss := range rs.ScopeSpans().All() {
			scope := &rows.Scope{InstrumentationScope: ss.Scope(), SchemaURL: ss.SchemaUrl()}
			for _, span := range ss.Spans().All() {
				if b, ok := lane.Builder().(*rows.Spans); ok {
					b.Append(res, scope, span)
				}
				lane.Added(seconds(span.StartTimestamp()))
			}
		}
		lane.Unlock()
	}
	return e.finish(ctx, call, n)
}
