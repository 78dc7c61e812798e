package recordlimitprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
)

func (l *limiter) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	var m plog.ProtoMarshaler
	if m.LogsSize(ld) <= l.max {
		return ld, nil
	}
	f := &found{limiter: l, ctx: ctx}
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			around := m.LogsSize(logsAround(rl, sl))
			sl.LogRecords().RemoveIf(func(rec plog.LogRecord) bool {
				if !l.tooLarge(m.LogRecordSize(rec), around) {
					return false
				}
				alone := logsAround(rl, sl)
				rec.CopyTo(alone.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty())
				return f.keep(m.MarshalLogs(alone))
			})
		}
	}
	return ld, f.outcome()
}

func copyOfLogs(ld plog.Logs) plog.Logs {
	c := plog.NewLogs()
	ld.CopyTo(c)
	return c
}

// logsAround is what goes with each record of a scope.
func logsAround(rl plog.ResourceLogs, sl plog.ScopeLogs) plog.Logs {
	ld := plog.NewLogs()
	to := ld.ResourceLogs().AppendEmpty()
	rl.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(rl.SchemaUrl())
	scope := to.ScopeLogs().AppendEmpty()
	sl.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(sl.SchemaUrl())
	return ld
}
