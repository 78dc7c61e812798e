package recordlimitprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

func (l *limiter) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	var m ptrace.ProtoMarshaler
	if m.TracesSize(td) <= l.max {
		return td, nil
	}
	f := &found{limiter: l, ctx: ctx}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			around := m.TracesSize(tracesAround(rs, ss))
			ss.Spans().RemoveIf(func(span ptrace.Span) bool {
				if !l.tooLarge(m.SpanSize(span), around) {
					return false
				}
				alone := tracesAround(rs, ss)
				span.CopyTo(alone.ResourceSpans().At(0).ScopeSpans().At(0).Spans().AppendEmpty())
				return f.keep(m.MarshalTraces(alone))
			})
		}
	}
	return td, f.outcome()
}

// tracesAround is what goes with each span of a scope.
func tracesAround(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans) ptrace.Traces {
	td := ptrace.NewTraces()
	to := td.ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(rs.SchemaUrl())
	scope := to.ScopeSpans().AppendEmpty()
	ss.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(ss.SchemaUrl())
	return td
}

func copyOfTraces(td ptrace.Traces) ptrace.Traces {
	c := ptrace.NewTraces()
	td.CopyTo(c)
	return c
}
