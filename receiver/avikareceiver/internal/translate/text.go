package translate

import (
	"bytes"
	"unicode/utf8"
	"unsafe"
)

// text returns a copy of b that lives as long as the batch, with U+FFFD for what is not UTF-8.
func (b *Batch) text(raw []byte) string {
	if utf8.Valid(raw) {
		return b.slab.Copy(raw)
	}
	return string(bytes.ToValidUTF8(raw, []byte("\uFFFD")))
}

// part returns text that a parser found in line, as a part of line if it is one. Parsers cut lines at ASCII
// characters only, so that a part of valid UTF-8 is valid.
func (b *Batch) part(line string, found []byte) string {
	if len(found) == 0 {
		return ""
	}
	offset := uintptr(unsafe.Pointer(unsafe.SliceData(found))) - uintptr(unsafe.Pointer(unsafe.StringData(line)))
	if offset < uintptr(len(line)) {
		return line[offset : offset+uintptr(len(found))]
	}
	return b.text(found)
}

// either returns what the agent parsed, or else what was found in the line. Mostly they are the same bytes,
// and then the line's are used, which need no copy.
func (b *Batch) either(line string, parsed, found []byte) string {
	if absent(parsed) || bytes.Equal(parsed, found) {
		return b.part(line, found)
	}
	return b.text(parsed)
}

// absent reports whether a field is empty, which NGINX writes as "-".
func absent(field []byte) bool { return len(field) == 0 || len(field) == 1 && field[0] == '-' }

// raw lends a string as bytes, which must not be changed.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
