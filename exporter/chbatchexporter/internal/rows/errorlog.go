package rows

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

// Errors builds rows of error_logs.
type Errors struct {
	fields
	scratch []byte

	timestamp                                       *nativeblock.Fixed
	instance, level                                 *nativeblock.LowCardinality
	pid, tid, connection                            *nativeblock.Fixed
	message, client, server, request, upstream, raw *nativeblock.String
	host                                            *nativeblock.String
	labels                                          *labels
}

type errorRow struct {
	level, message, client, server, request, host string
	upstream                                      pcommon.Value
	hasUpstream                                   bool
	pid, tid, connection                          int64
}

func newErrors() *Errors {
	t := &Errors{}
	t.timestamp, t.instance, t.level = t.millis("timestamp"), t.low("instance_id"), t.low("level")
	t.pid, t.tid, t.connection = t.uint32("pid"), t.uint32("tid"), t.uint64("connection")
	t.message, t.client, t.server = t.str("message"), t.str("client"), t.str("server")
	t.request, t.upstream, t.host, t.raw = t.str("request"), t.str("upstream"), t.str("host"), t.str("raw")
	t.labels = newLabels(&t.fields)
	return t
}

// Block implements Builder.
func (t *Errors) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Errors) Reset() {
	t.block.Reset()
	t.labels.last = nil
}

// Append adds an error record.
func (t *Errors) Append(res *Resource, rec plog.LogRecord) {
	var r errorRow
	r.read(rec.Attributes())
	t.block.Rows++
	t.timestamp.Append64(millis(recordTime(rec)))
	t.instance.Append(res.Instance)
	t.level.Append(firstOf(r.level, rec.SeverityText()))
	t.pid.Append32(uint32(clamp(r.pid, math.MaxUint32)))
	t.tid.Append32(uint32(clamp(r.tid, math.MaxUint32)))
	t.connection.Append64(clamp(r.connection, math.MaxUint64))
	t.message.Append(r.message)
	t.client.Append(r.client)
	t.server.Append(r.server)
	t.request.Append(r.request)
	t.scratch = t.scratch[:0]
	if r.hasUpstream {
		t.scratch = appendAttempts(t.scratch, r.upstream)
	}
	t.upstream.AppendBytes(t.scratch)
	t.host.Append(r.host)
	appendValue(t.raw, &t.scratch, rec.Body())
	t.labels.append(res)
}

func (r *errorRow) read(m pcommon.Map) {
	for k, v := range m.All() {
		switch k {
		case nginxsemconv.ErrorLevel:
			r.level = text(v)
		case nginxsemconv.ErrorMessage:
			r.message = text(v)
		case nginxsemconv.ErrorConnection:
			r.connection = integer(v)
		case nginxsemconv.ErrorRequestLine:
			r.request = text(v)
		case nginxsemconv.ErrorHost:
			r.host = text(v)
		case nginxsemconv.UpstreamAddress:
			r.upstream, r.hasUpstream = v, true
		case "process.pid":
			r.pid = integer(v)
		case "thread.id":
			r.tid = integer(v)
		case "client.address":
			r.client = text(v)
		case "server.address":
			r.server = text(v)
		}
	}
}
