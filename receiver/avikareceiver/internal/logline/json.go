package logline

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads the top level of a JSON object. It is laxer than JSON: NGINX's default escaping (\x22), which agents'
// parsers refuse, is understood, and control characters in strings are taken as they are.
func (a *Access) parseJSON(line []byte) bool {
	i := skipSpace(line, 1)
	if i < len(line) && line[i] == '}' {
		return true
	}
	for i < len(line) && line[i] == '"' {
		key, next, _ := scanString(line, i+1)
		if next < 0 {
			return false
		}
		if i = skipSpace(line, next); i >= len(line) || line[i] != ':' {
			return false
		}
		if i = a.jsonValue(line, skipSpace(line, i+1), lookup(key)); i < 0 {
			return false
		}
		if i = skipSpace(line, i); i >= len(line) {
			return false
		}
		if line[i] == '}' {
			return true
		}
		if line[i] != ',' {
			return false
		}
		i = skipSpace(line, i+1)
	}
	return false
}

// jsonValue stores the value that starts at i and returns where it ends, or -1.
func (a *Access) jsonValue(line []byte, i int, field Field) int {
	if i >= len(line) {
		return -1
	}
	switch c := line[i]; {
	case c == '"':
		value, next, escaped := scanString(line, i+1)
		if next > 0 && field != none {
			if escaped {
				value = a.unescape(value)
			}
			a.set(field, value)
		}
		return next
	case c == '{' || c == '[':
		return skipNested(line, i)
	default:
		end := i
		for end < len(line) && isScalar(line[end]) {
			end++
		}
		if end == i {
			return -1
		}
		if c == '-' || c >= '0' && c <= '9' {
			a.set(field, line[i:end])
		}
		return end
	}
}

func isScalar(c byte) bool {
	return c != ',' && c != '}' && c != ']' && c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '"' && c != ':'
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// scanString returns the text between i and the closing quote, the index behind the quote or -1, and whether
// there are escapes in the text.
func scanString(b []byte, i int) (text []byte, next int, escaped bool) {
	for start := i; ; {
		end := bytes.IndexByte(b[i:], '"')
		if end < 0 {
			return nil, -1, false
		}
		end += i
		if bytes.IndexByte(b[i:end], '\\') < 0 && !escaped {
			return b[start:end], end + 1, false
		}
		escaped = true
		backslashes := 0
		for backslashes < end-start && b[end-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return b[start:end], end + 1, true
		}
		i = end + 1
	}
}

// skipNested returns the index behind the object or array that starts at i, or -1.
func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			_, next, _ := scanString(b, i+1)
			if next < 0 {
				return -1
			}
			i = next - 1
		}
	}
	return -1
}

// unescape resolves the escapes of JSON and of NGINX's default escaping. The result stays valid until the next parse.
func (a *Access) unescape(text []byte) []byte {
	start := len(a.scratch)
	out := a.scratch
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			out = append(out, text...)
			break
		}
		out = append(out, text[:i]...)
		var n int
		out, n = appendEscape(out, text[i:])
		text = text[i+n:]
	}
	a.scratch = out
	return out[start:len(out):len(out)]
}

var simpleEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '\'': '\''}

// appendEscape appends what the escape at the start of text stands for and returns its length. What is no
// escape is kept as it is.
func appendEscape(out, text []byte) ([]byte, int) {
	c := text[1]
	if plain := simpleEscapes[c]; plain != 0 {
		return append(out, plain), 2
	}
	if c == 'x' {
		if r, ok := parseHex(text, 2, 2); ok {
			return append(out, byte(r)), 4
		}
	}
	if c == 'u' {
		if r, ok := parseHex(text, 2, 4); ok {
			return appendUTF16(out, text, r)
		}
	}
	return append(out, '\\'), 1
}

func appendUTF16(out, text []byte, first rune) ([]byte, int) {
	if !utf16.IsSurrogate(first) {
		return utf8.AppendRune(out, first), 6
	}
	if len(text) > 7 && text[6] == '\\' && text[7] == 'u' {
		if second, ok := parseHex(text, 8, 4); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return utf8.AppendRune(out, r), 12
			}
		}
	}
	return utf8.AppendRune(out, utf8.RuneError), 6
}

func parseHex(b []byte, i, digits int) (rune, bool) {
	if len(b) < i+digits {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+digits] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
