package logline

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads the top level of a JSON object. It is laxer than JSON: NGINX's default escaping (\x22), which agents'
// parsers refuse, is understood, and control characters in strings are taken as they are.
func (a *Access) parseJSON(line []byte) bool {
	i, known := a.parseShape(line)
	if known {
		return true
	}
	learning := a.shape.learns()
	for {
		separator := i
		var key []byte
		var done bool
		if key, i, done = nextKey(line, i); i < 0 {
			return done && a.shape.learned(learning)
		}
		field := lookup(key)
		if learning {
			a.shape.add(line, separator, i, field)
		}
		if i = a.jsonValue(line, i, field); i < 0 {
			return false
		}
	}
}

// nextKey reads from the end of a value, or from the opening brace at 0, up to the start of the next value. The index is
// negative when there is none; done says that the object is complete.
func nextKey(line []byte, i int) (key []byte, next int, done bool) {
	opening := i == 0
	if i = skipSpace(line, i); i >= len(line) {
		return nil, -1, false
	}
	if line[i] != ',' && !opening {
		return nil, -1, line[i] == '}'
	}
	if i = skipSpace(line, i+1); i >= len(line) || line[i] != '"' {
		return nil, -1, opening && i < len(line) && line[i] == '}'
	}
	end, next, _ := scanString(line, i+1)
	if next < 0 {
		return nil, -1, false
	}
	key = line[i+1 : end]
	if next = skipSpace(line, next); next >= len(line) || line[next] != ':' {
		return nil, -1, false
	}
	return key, skipSpace(line, next+1), false
}

// jsonValue stores the value that starts at i and returns where it ends, or -1.
func (a *Access) jsonValue(line []byte, i int, field Field) int {
	if i >= len(line) {
		return -1
	}
	switch c := line[i]; {
	case c == '"':
		end, next, escaped := scanString(line, i+1)
		if next > 0 && field != none {
			a.set(field, a.resolved(place{uint32(i + 1), uint32(end)}, escaped))
		}
		return next
	case c == '{' || c == '[':
		return skipNested(line, i)
	default:
		end := i
		for end < len(line) && !endsScalar[line[end]] {
			end++
		}
		if end == i {
			return -1
		}
		if c == '-' || c >= '0' && c <= '9' {
			a.set(field, place{uint32(i), uint32(end)})
		}
		return end
	}
}

// endsScalar tells what does not belong to a number, true, false or null.
var endsScalar = [256]bool{',': true, '}': true, ']': true, ' ': true, '\t': true, '\n': true, '\r': true, '"': true, ':': true}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// scanString finds the end of a text that starts at i: the index of the closing quote, the one behind it or -1, and
// whether there are escapes in the text.
func scanString(b []byte, i int) (end, next int, escaped bool) {
	for {
		if i = quoteOrEscape(b, i); i >= len(b) {
			return 0, -1, false
		}
		if b[i] == '"' {
			return i, i + 1, escaped
		}
		escaped = true
		i += 2
	}
}

// quoteOrEscape returns the index of the first quote or backslash from i on, or the length of b or more. It looks at eight
// bytes at a time: values are too short for bytes.IndexByte to be worth its call.
func quoteOrEscape(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		word := binary.LittleEndian.Uint64(b[i:])
		quotes, escapes := word^'"'*ones, word^'\\'*ones
		if found := ((quotes-ones)&^quotes | (escapes-ones)&^escapes) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
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

// resolved returns the place of a text without its escapes, those of JSON and of NGINX's default escaping.
func (a *Access) resolved(p place, escaped bool) place {
	if !escaped {
		return p
	}
	text, start, out := a.at(p), uint32(len(a.scratch)), a.scratch
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
	return place{start | inScratch, uint32(len(out))}
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
