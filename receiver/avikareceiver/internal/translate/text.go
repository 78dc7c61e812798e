package translate

import (
	"bytes"
	"unicode/utf8"
	"unsafe"
)

// text returns part of a message as a string, without a copy: messages do not change. What is not UTF-8 becomes U+FFFD.
func text(part []byte) string {
	if utf8.Valid(part) {
		return unsafe.String(unsafe.SliceData(part), len(part))
	}
	return string(bytes.ToValidUTF8(part, []byte("\uFFFD")))
}

// part returns text that a parser found in a body. Most of it is part of the body; what had escapes was
// resolved in the parser's scratch and has to be copied. Parsers cut at ASCII characters only, so that a part of valid UTF-8 is valid.
func (t *Translator) part(body string, found []byte) string {
	if len(found) == 0 {
		return ""
	}
	offset := uintptr(unsafe.Pointer(unsafe.SliceData(found))) - uintptr(unsafe.Pointer(unsafe.StringData(body)))
	if offset < uintptr(len(body)) {
		return body[offset : offset+uintptr(len(found))]
	}
	if utf8.Valid(found) {
		return t.slab.Copy(found)
	}
	return string(bytes.ToValidUTF8(found, []byte("\uFFFD")))
}

// either returns what the agent parsed, or else what was found in the line.
func (t *Translator) either(body string, parsed, found []byte) string {
	if absent(parsed) {
		return t.part(body, found)
	}
	return text(parsed)
}

// absent reports whether a field is empty, which NGINX writes as "-".
func absent(field []byte) bool { return len(field) == 0 || len(field) == 1 && field[0] == '-' }

// raw lends a string as bytes, which must not be changed.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
