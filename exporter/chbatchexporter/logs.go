package chbatchexporter

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

type logsExporter struct{ *signalExporter }

// ConsumeLogs returns when the records are as safe as configured.
func (e *logsExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	n := ld.LogRecordCount()
	if n == 0 {
		return nil
	}
	call, err := e.begin(ctx, n)
	if err != nil {
		return err
	}
	w := e.window()
	for _, rl := range ld.ResourceLogs().All() {
		res := rows.NewResource(rl.Resource().Attributes(), rl.SchemaUrl())
		shard := e.router.shard(res)
		for _, sl := range rl.ScopeLogs().All() {
			scope := &rows.Scope{InstrumentationScope: sl.Scope(), SchemaURL: sl.SchemaUrl()}
			appendRecords(call, w, shard, res, scope, sl.LogRecords())
		}
	}
	return e.finish(ctx, call, n)
}

// appendRecords locks a table's block once for a run of records that belong there.
func appendRecords(call *blockqueue.Call, w window, shard int, res *rows.Resource, scope *rows.Scope, records plog.LogRecordSlice) {
	var lane *blockqueue.Lane
	table, stray := "", false
	for i := range records.Len() {
		rec := records.At(i)
		at := recordTime(rec)
		if t, s := tableOf(rec), w.stray(at); t != table || s != stray {
			if lane != nil {
				lane.Unlock()
			}
			lane, table, stray = call.Lane(t, shard, s), t, s
		}
		switch b := lane.Builder().(type) {
		case *rows.Access:
			b.Append(res, rec)
		case *rows.Errors:
			b.Append(res, rec)
		case *rows.Logs:
			b.Append(res, scope, rec)
		}
		lane.Added(at)
	}
	if lane != nil {
		lane.Unlock()
	}
}

func recordTime(rec plog.LogRecord) pcommon.Timestamp {
	if t := rec.Timestamp(); t != 0 {
		return t
	}
	return rec.ObservedTimestamp()
}

func tableOf(rec plog.LogRecord) string {
	name := rec.EventName()
	if name == "" {
		if v, ok := rec.Attributes().Get(nginxsemconv.EventNameAttribute); ok {
			name = v.Str()
		}
	}
	switch name {
	case nginxsemconv.EventAccess:
		return rows.AccessLogs
	case nginxsemconv.EventError:
		return rows.ErrorLogs
	}
	return rows.OTelLogs
}
