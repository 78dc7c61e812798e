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

// translate adds what an entry becomes.
func (t *Translator) translate(received *Entry) {
	entry := &t.entry
	if entry.Unmarshal(received.Encoded) != nil {
		t.counts.Malformed++
		return
	}
	body := t.text(entry.Bytes(entry.Content))
	record := t.slab.Record()
	record.Body = t.slab.String(body)
	record.Time, record.ObservedTime = t.time(entry.Timestamp, received.Queued, received.Received), uint64(received.Received)
	switch {
	case string(entry.Bytes(entry.LogType)) == "error":
		t.errorEntry(record, body)
	case agentParsed(entry):
		t.access.Parse(raw(body))
		t.accessRecord(record, entry)
	case t.line.Parse(raw(body)):
		t.errorRecord(record)
	case t.access.Parse(raw(body)):
		t.accessRecord(record, entry)
	default:
		record.EventName = nginxsemconv.EventAccess
		record.Severity, record.SeverityText = severityWarn, "WARN"
		t.counts.UnparsedAccess++
	}
	if t.settings.Logs {
		t.records = append(t.records, record)
	}
}

// agentParsed reports whether the agent made sense of an access line.
func agentParsed(entry *wire.LogEntry) bool {
	return entry.Status != 0 || !entry.RequestMethod.Empty() || !entry.RequestURI.Empty() || !entry.RemoteAddr.Empty()
}

// time returns the first of the times that can be true, in Unix nanoseconds.
func (t *Translator) time(entry, queued, received int64) uint64 {
	for _, seconds := range [...]int64{entry, queued} {
		if seconds > 0 && seconds <= maxUnix {
			return uint64(seconds) * 1e9
		}
		if seconds != 0 {
			t.counts.RefusedValues++
		}
	}
	return uint64(received)
}

func (t *Translator) errorEntry(record *pdataslab.LogRecord, body string) {
	if t.line.Parse(raw(body)) {
		t.errorRecord(record)
		return
	}
	record.EventName = nginxsemconv.EventError
	record.Severity, record.SeverityText = severityError, "ERROR"
	t.counts.UnparsedError++
}

// errorRecord fills a record from the error line in t.line.
func (t *Translator) errorRecord(record *pdataslab.LogRecord) {
	line, slab := &t.line, &t.slab
	record.EventName = nginxsemconv.EventError
	record.SeverityText = view(line.Level)
	record.Severity = errorSeverity(record.SeverityText)
	slab.Open(12)
	slab.PutString(nginxsemconv.ErrorLevel, record.SeverityText)
	slab.PutString(nginxsemconv.ErrorMessage, view(line.Message))
	t.putNumber("process.pid", line.PID)
	t.putNumber("thread.id", line.TID)
	t.putNumber(nginxsemconv.ErrorConnection, line.Connection)
	slab.PutString("client.address", view(line.Client))
	slab.PutString("server.address", view(line.Server))
	slab.PutString(nginxsemconv.ErrorRequestLine, view(line.Request))
	if len(line.Upstream) > 0 {
		list, elements := slab.Array(1)
		elements[0] = slab.String(view(line.Upstream))
		slab.Put(nginxsemconv.UpstreamAddress, list)
	}
	slab.PutString(nginxsemconv.ErrorHost, view(line.Host))
	slab.PutString(nginxsemconv.RequestHeaderReferer, view(line.Referrer))
	record.Attributes = slab.Close()
}

func (t *Translator) putNumber(key string, n int64) {
	if n >= 0 {
		t.slab.Put(key, t.slab.Int(n))
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
