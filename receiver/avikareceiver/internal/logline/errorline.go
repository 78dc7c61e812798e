package logline

import (
	"bytes"
	"net/netip"
)

// Error is what an error line says. Its text points into the line; empty means absent.
type Error struct {
	Level   []byte
	Message []byte
	// PID, TID and Connection are -1 when absent.
	PID, TID, Connection int64

	Client, Server, Request, Upstream, Host, Referrer []byte
}

// Parse reads "2026/01/02 15:04:05 [error] 12#34: *56 message, client: …". The time is left alone: it has no zone.
func (e *Error) Parse(line []byte) bool {
	*e = Error{PID: -1, TID: -1, Connection: -1}
	const layout = "2006/01/02 15:04:05 ["
	if !hasErrorTime(line) || line[len(layout)-1] != '[' {
		return false
	}
	level, rest, ok := bytes.Cut(line[len(layout):], []byte("] "))
	if !ok || !isToken(level) || len(level) == 0 {
		return false
	}
	e.Level = level
	rest = e.parseProcess(rest)
	e.parseContext(bytes.TrimRight(rest, "\r\n"))
	return true
}

// hasErrorTime reports whether line starts as error lines do and is longer than the time.
func hasErrorTime(line []byte) bool {
	const pattern = "dddd/dd/dd dd:dd:dd "
	if len(line) <= len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] == 'd' {
			if line[i] < '0' || line[i] > '9' {
				return false
			}
		} else if line[i] != pattern[i] {
			return false
		}
	}
	return true
}

// parseProcess reads "12#34: *56 ", where the connection may be missing.
func (e *Error) parseProcess(rest []byte) []byte {
	head, tail, ok := bytes.Cut(rest, []byte(": "))
	if !ok {
		return rest
	}
	pid, tid, ok := bytes.Cut(head, []byte("#"))
	if !ok || !number(pid, &e.PID) || !number(tid, &e.TID) {
		return rest
	}
	if len(tail) > 0 && tail[0] == '*' {
		if connection, text, ok := bytes.Cut(tail[1:], []byte(" ")); ok && number(connection, &e.Connection) {
			return text
		}
	}
	return tail
}

func number(b []byte, to *int64) bool {
	n, ok := parseInt(b)
	if ok {
		*to = n
	}
	return ok
}

var clientKey = []byte(", client: ")

// parseContext separates the message from what NGINX appends to it. Paths and requests are the client's own words
// and may imitate the context, so the first place counts from which everything up to the end reads as context.
func (e *Error) parseContext(text []byte) {
	e.Message = text
	for from, tried := 0, 0; tried < maxImitations; tried++ {
		i := bytes.Index(text[from:], clientKey)
		if i < 0 {
			return
		}
		if i += from; e.tryContext(text[i:]) {
			e.Message = text[:i]
			return
		}
		from = i + len(clientKey)
	}
}

// maxImitations bounds the work on a line made of context keys.
const maxImitations = 16

func (e *Error) tryContext(text []byte) bool {
	trial := *e
	for len(text) > 0 {
		var to *[]byte
		var isQuoted bool
		if to, isQuoted, text = trial.contextKey(text); to == nil {
			return false
		}
		value, rest, ok := contextValue(text, isQuoted)
		if !ok {
			return false
		}
		*to, text = value, rest
	}
	if _, err := netip.ParseAddr(view(trial.Client)); err != nil && !bytes.HasPrefix(trial.Client, []byte("unix:")) {
		return false
	}
	*e = trial
	return true
}

// contextKey reads ", key: " and returns where the value goes, whether it is quoted, and the rest.
func (e *Error) contextKey(text []byte) (*[]byte, bool, []byte) {
	var ignored []byte
	for _, key := range [...]struct {
		name   string
		to     *[]byte
		quoted bool
	}{
		{", client: ", &e.Client, false},
		{", server: ", &e.Server, false},
		{`, request: "`, &e.Request, true},
		{`, subrequest: "`, &ignored, true},
		{`, upstream: "`, &e.Upstream, true},
		{`, host: "`, &e.Host, true},
		{`, referrer: "`, &e.Referrer, true},
	} {
		if bytes.HasPrefix(text, []byte(key.name)) {
			return key.to, key.quoted, text[len(key.name):]
		}
	}
	return nil, false, nil
}

// contextValue reads a value up to the next key or the end. Quotes in a quoted value are not escaped.
func contextValue(text []byte, isQuoted bool) (value, rest []byte, ok bool) {
	if !isQuoted {
		if end := bytes.Index(text, []byte(", ")); end >= 0 {
			return text[:end], text[end:], true
		}
		return text, nil, true
	}
	for from := 0; from < len(text); {
		end := bytes.IndexByte(text[from:], '"')
		if end < 0 {
			return nil, nil, false
		}
		end += from
		if end+1 == len(text) || startsContext(text[end+1:]) {
			return text[:end], text[end+1:], true
		}
		from = end + 1
	}
	return nil, nil, false
}

func startsContext(text []byte) bool {
	var scratch Error
	to, _, _ := scratch.contextKey(text)
	return to != nil
}
