package translate

import (
	"math"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// Severity numbers of OpenTelemetry.
const (
	severityDebug  = 5
	severityInfo   = 9
	severityNotice = 10
	severityWarn   = 13
	severityError  = 17
	severityCrit   = 18
	severityAlert  = 21
	severityEmerg  = 24
)

// maxUnix is the last second whose nanoseconds fit pdata's time as a signed number.
const maxUnix = math.MaxInt64/1_000_000_000 - 1

// Log adds a log entry. queued is the time of its message in Unix seconds, received the time of receipt in Unix nanoseconds.
func (b *Batch) Log(agent *Agent, entry *wire.LogEntry, queued, received int64) {
	b.begin(agent)
	body := b.text(entry.Content)
	record := b.slab.Record()
	record.Body = b.slab.String(body)
	record.Time, record.ObservedTime = b.time(entry.Timestamp, queued, received), uint64(received)
	switch {
	case string(entry.LogType) == "error":
		b.errorEntry(record, entry, body)
	case agentParsed(entry):
		b.access.Parse(raw(body))
		b.accessRecord(agent, record, entry, body)
	case b.line.Parse(raw(body)):
		b.errorRecord(record, body)
	case b.access.Parse(raw(body)):
		b.accessRecord(agent, record, entry, body)
	default:
		record.EventName = nginxsemconv.EventAccess
		record.Severity, record.SeverityText = severityWarn, "WARN"
		b.Counts.UnparsedAccess++
	}
	if b.Settings.Logs {
		b.add(record)
	}
}

// agentParsed reports whether the agent made sense of an access line.
func agentParsed(entry *wire.LogEntry) bool {
	return entry.Status != 0 || len(entry.RequestMethod) > 0 || len(entry.RequestURI) > 0 || len(entry.RemoteAddr) > 0
}

// time returns the first of the times that can be true, in Unix nanoseconds.
func (b *Batch) time(entry, queued, received int64) uint64 {
	for _, seconds := range [...]int64{entry, queued} {
		if seconds > 0 && seconds <= maxUnix {
			return uint64(seconds) * 1e9
		}
		if seconds != 0 {
			b.Counts.RefusedValues++
		}
	}
	return uint64(received)
}

func (b *Batch) errorEntry(record *pdataslab.LogRecord, entry *wire.LogEntry, body string) {
	if b.line.Parse(raw(body)) {
		b.errorRecord(record, body)
		return
	}
	record.EventName = nginxsemconv.EventError
	record.Severity, record.SeverityText = severityError, "ERROR"
	b.Counts.UnparsedError++
}

// errorRecord fills a record from the error line in b.line.
func (b *Batch) errorRecord(record *pdataslab.LogRecord, body string) {
	line, slab := &b.line, &b.slab
	record.EventName = nginxsemconv.EventError
	record.SeverityText = b.part(body, line.Level)
	record.Severity = errorSeverity(record.SeverityText)
	slab.Open(12)
	slab.PutString(nginxsemconv.ErrorLevel, record.SeverityText)
	slab.PutString(nginxsemconv.ErrorMessage, b.part(body, line.Message))
	b.putNumber("process.pid", line.PID)
	b.putNumber("thread.id", line.TID)
	b.putNumber(nginxsemconv.ErrorConnection, line.Connection)
	slab.PutString("client.address", b.part(body, line.Client))
	slab.PutString("server.address", b.part(body, line.Server))
	slab.PutString(nginxsemconv.ErrorRequestLine, b.part(body, line.Request))
	if len(line.Upstream) > 0 {
		list, elements := slab.Array(1)
		elements[0] = slab.String(b.part(body, line.Upstream))
		slab.Put(nginxsemconv.UpstreamAddress, list)
	}
	slab.PutString(nginxsemconv.ErrorHost, b.part(body, line.Host))
	slab.PutString(nginxsemconv.RequestHeaderReferer, b.part(body, line.Referrer))
	record.Attributes = slab.Close()
}

func (b *Batch) putNumber(key string, n int64) {
	if n >= 0 {
		b.slab.Put(key, b.slab.Int(n))
	}
}

func errorSeverity(level string) int32 {
	switch level {
	case "debug":
		return severityDebug
	case "info":
		return severityInfo
	case "notice":
		return severityNotice
	case "warn":
		return severityWarn
	case "crit":
		return severityCrit
	case "alert":
		return severityAlert
	case "emerg":
		return severityEmerg
	default:
		return severityError
	}
}
