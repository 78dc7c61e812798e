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

// contextKeys are in the order in which NGINX writes them. Values that are quoted are not escaped.
var contextKeys = [...]struct {
	key    string
	quoted bool
}{
	{", client: ", false},
	{", server: ", false},
	{`, request: "`, true},
	{`, subrequest: "`, true},
	{`, upstream: "`, true},
	{`, host: "`, true},
	{`, referrer: "`, true},
}

// tryContext reads text as context up to its end, or leaves e alone.
func (e *Error) tryContext(text []byte) bool {
	var values [len(contextKeys)][]byte
	for after := 0; len(text) > 0; {
		key := findKey(text, after)
		if key < 0 {
			return false
		}
		value, rest, ok := contextValue(text[len(contextKeys[key].key):], key)
		if !ok {
			return false
		}
		values[key], text, after = value, rest, key+1
	}
	if _, err := netip.ParseAddr(view(values[0])); err != nil && !bytes.HasPrefix(values[0], []byte("unix:")) {
		return false
	}
	e.Client, e.Server, e.Request, e.Upstream, e.Host, e.Referrer = values[0], values[1], values[2], values[4], values[5], values[6]
	return true
}

// findKey returns the key that text starts with, among those from the given one on, or -1.
func findKey(text []byte, from int) int {
	for i := from; i < len(contextKeys); i++ {
		if bytes.HasPrefix(text, []byte(contextKeys[i].key)) {
			return i
		}
	}
	return -1
}

// contextValue reads the value of a key up to a later key or the end.
func contextValue(text []byte, key int) (value, rest []byte, ok bool) {
	if !contextKeys[key].quoted {
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
		if end+1 == len(text) || findKey(text[end+1:], key+1) >= 0 {
			return text[:end], text[end+1:], true
		}
		from = end + 1
	}
	return nil, nil, false
}
