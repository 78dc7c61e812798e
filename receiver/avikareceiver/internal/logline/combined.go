package logline

import "bytes"

// parseCombined reads NGINX's combined format, with or without more behind it: a quoted
// X-Forwarded-For (the "main" format of NGINX's packages), and key=value pairs.
func (a *Access) parseCombined(line []byte) bool {
	address := bytes.Index(line, []byte(" - "))
	if address <= 0 || bytes.IndexByte(line[:address], ' ') >= 0 {
		return false
	}
	open := index(line, address+3, " [")
	if open < 0 {
		return false
	}
	local := open + len(" [")
	localEnd := index(line, local, `] "`)
	if localEnd < 0 {
		return false
	}
	requestLine, i, ok := a.quoted(line, localEnd+len(`] "`))
	if !ok {
		return false
	}
	code := word(line, i)
	size := word(line, int(code.to))
	if n, ok := parseInt(a.at(code)); !ok || n < 0 || n > maxStatus {
		return false
	}
	a.set(RemoteAddr, place{0, uint32(address)})
	a.set(timeLocal, place{uint32(local), uint32(localEnd)})
	a.set(request, requestLine)
	a.set(status, code)
	a.set(bodyBytes, size)
	a.parseTail(line, int(size.to))
	return true
}

// index returns where a separator is, from i on, or -1.
func index(line []byte, i int, separator string) int {
	if found := bytes.Index(line[i:], []byte(separator)); found >= 0 {
		return i + found
	}
	return -1
}

// parseTail reads what follows the size: quoted texts in their usual order, and key=value pairs.
func (a *Access) parseTail(line []byte, i int) {
	order := [...]Field{Referer, UserAgent, ForwardedFor}
	for position := 0; ; {
		if i = skipSpace(line, i); i >= len(line) {
			return
		}
		if line[i] != '"' {
			i = a.parsePair(line, i)
			continue
		}
		value, next, ok := a.quoted(line, i+1)
		if !ok {
			return
		}
		if position < len(order) {
			a.set(order[position], value)
			position++
		}
		i = next
	}
}

// parsePair reads a key=value pair, or a word that is none, and returns where it ends.
func (a *Access) parsePair(line []byte, i int) int {
	end := bytes.IndexAny(line[i:], " =")
	if end < 0 {
		return len(line)
	}
	end += i
	if line[end] == ' ' {
		return end
	}
	field := lookup(line[i:end])
	if value := end + 1; value < len(line) && line[value] == '"' {
		text, next, ok := a.quoted(line, value+1)
		if !ok {
			return len(line)
		}
		a.set(field, text)
		return next
	}
	value := place{uint32(end + 1), uint32(len(line))}
	if space := bytes.IndexByte(line[end+1:], ' '); space >= 0 {
		value.to = uint32(end + 1 + space)
	}
	a.set(field, value)
	return int(value.to)
}

// quoted returns the text from i up to the closing quote, escapes resolved, and the index behind the quote.
func (a *Access) quoted(line []byte, i int) (place, int, bool) {
	end, next, escaped := scanString(line, i)
	if next < 0 {
		return place{}, 0, false
	}
	return a.resolved(place{uint32(i), uint32(end)}, escaped), next, true
}

// word returns the next text without spaces.
func word(line []byte, i int) place {
	for i < len(line) && line[i] == ' ' {
		i++
	}
	end := i
	for end < len(line) && line[end] != ' ' {
		end++
	}
	return place{uint32(i), uint32(end)}
}
