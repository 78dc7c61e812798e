package logline

import "bytes"

// parseCombined reads NGINX's combined format, with or without more behind it: a quoted
// X-Forwarded-For (the "main" format of NGINX's packages), and key=value pairs.
func (a *Access) parseCombined(line []byte) bool {
	address, rest, ok := bytes.Cut(line, []byte(" - "))
	if !ok || bytes.IndexByte(address, ' ') >= 0 {
		return false
	}
	open := bytes.Index(rest, []byte(" ["))
	if open < 0 {
		return false
	}
	local, rest, ok := bytes.Cut(rest[open+2:], []byte("] \""))
	if !ok {
		return false
	}
	requestLine, rest, ok := a.quoted(rest)
	if !ok {
		return false
	}
	code, rest := word(rest)
	size, rest := word(rest)
	if n, ok := parseInt(code); !ok || n < 0 || n > maxStatus {
		return false
	}
	a.set(RemoteAddr, address)
	a.set(timeLocal, local)
	a.set(request, requestLine)
	a.set(status, code)
	a.set(bodyBytes, size)
	a.parseTail(rest)
	return true
}

// parseTail reads what follows the size: quoted texts in their usual order, and key=value pairs.
func (a *Access) parseTail(rest []byte) {
	order := [...]Field{Referer, UserAgent, ForwardedFor}
	for position := 0; ; {
		rest = bytes.TrimLeft(rest, " ")
		if len(rest) == 0 {
			return
		}
		if rest[0] == '"' {
			value, tail, ok := a.quoted(rest[1:])
			if !ok {
				return
			}
			if position < len(order) {
				a.set(order[position], value)
				position++
			}
			rest = tail
			continue
		}
		rest = a.parsePair(rest)
	}
}

func (a *Access) parsePair(rest []byte) []byte {
	end := bytes.IndexAny(rest, " =")
	if end < 0 {
		return nil
	}
	if rest[end] == ' ' {
		return rest[end:]
	}
	key, value := rest[:end], rest[end+1:]
	if len(value) > 0 && value[0] == '"' {
		text, tail, ok := a.quoted(value[1:])
		if !ok {
			return nil
		}
		a.set(lookup(key), text)
		return tail
	}
	text, tail := word(value)
	a.set(lookup(key), text)
	return tail
}

// quoted returns the text up to the closing quote, escapes resolved, and what is behind the quote.
func (a *Access) quoted(b []byte) (text, rest []byte, ok bool) {
	text, next, escaped := scanString(b, 0)
	if next < 0 {
		return nil, nil, false
	}
	if escaped {
		text = a.unescape(text)
	}
	return text, b[next:], true
}

func word(b []byte) (text, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	if i := bytes.IndexByte(b, ' '); i >= 0 {
		return b[:i], b[i:]
	}
	return b, nil
}
