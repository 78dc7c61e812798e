// Package nginxlog reads access-log lines as a stock agent does, with the same losses: of several upstream attempts no
// times survive, and a line it cannot read keeps only its text.
package nginxlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Format says how access-log lines are read.
type Format string

const (
	// JSON lines have the keys of the Avika log format.
	JSON Format = "json"
	// Combined is NGINX's predefined format, optionally with "$http_x_forwarded_for" behind it.
	Combined Format = "combined"
	// Auto decides by the first byte of each line.
	Auto Format = "auto"
)

// ParseFormat accepts the names above.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case JSON, Combined, Auto:
		return f, nil
	}
	return "", fmt.Errorf("log format %q: want json, combined or auto", s)
}

// Access reads one line without its newline. It never fails: a line that cannot be read becomes an entry of
// type access with the content, the time now and status 0.
func (f Format) Access(line []byte, now time.Time) *agentv1.LogEntry {
	e := &agentv1.LogEntry{Timestamp: now.Unix(), LogType: "access", Content: string(line)}
	asJSON := f == JSON || f == Auto && bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{"))
	if asJSON {
		readJSON(line, e)
	} else {
		readCombined(e.Content, e)
	}
	return e
}

// Error makes an entry of an error-log line, whose time has no zone and is taken as local.
func Error(line []byte, now time.Time) *agentv1.LogEntry {
	e := &agentv1.LogEntry{Timestamp: now.Unix(), LogType: "error", Content: string(line)}
	const layout = "2006/01/02 15:04:05"
	if len(line) >= len(layout) {
		if t, err := time.ParseInLocation(layout, e.Content[:len(layout)], now.Location()); err == nil {
			e.Timestamp = t.Unix()
		}
	}
	return e
}

// jsonLine has the keys and types the agent knows; any other type of a key makes the whole line unreadable to it.
type jsonLine struct {
	Time           string  `json:"ts"`
	RequestID      string  `json:"req_id"`
	Client         string  `json:"client"`
	ForwardedFor   string  `json:"xff"`
	Method         string  `json:"method"`
	Path           string  `json:"path"`
	Status         int32   `json:"status"`
	Bytes          int64   `json:"bytes"`
	RequestTime    float32 `json:"rt"`
	ConnectTime    string  `json:"uct"`
	HeaderTime     string  `json:"uht"`
	ResponseTime   string  `json:"urt"`
	Upstream       string  `json:"upstream"`
	UpstreamStatus string  `json:"ustatus"`
	Referer        string  `json:"referer"`
	UserAgent      string  `json:"ua"`
}

func readJSON(line []byte, e *agentv1.LogEntry) {
	var l jsonLine
	if json.Unmarshal(line, &l) != nil {
		return
	}
	if t, err := time.Parse(time.RFC3339, l.Time); err == nil {
		e.Timestamp = t.Unix()
	}
	e.RequestId, e.RemoteAddr, e.XForwardedFor = l.RequestID, l.Client, l.ForwardedFor
	e.RequestMethod, e.RequestUri, e.Status, e.BodyBytesSent = l.Method, l.Path, l.Status, l.Bytes
	e.RequestTime = l.RequestTime
	e.UpstreamConnectTime = seconds(l.ConnectTime)
	e.UpstreamHeaderTime = seconds(l.HeaderTime)
	e.UpstreamResponseTime = seconds(l.ResponseTime)
	e.UpstreamAddr, e.UpstreamStatus = l.Upstream, l.UpstreamStatus
	e.Referer, e.UserAgent = l.Referer, l.UserAgent
}

// seconds is 0 for "-", for nothing and for a list of several attempts.
func seconds(s string) float32 {
	v, err := strconv.ParseFloat(s, 32)
	if err != nil {
		return 0
	}
	return float32(v)
}
