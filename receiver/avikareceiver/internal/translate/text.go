package translate

import (
	"bytes"
	"unicode/utf8"
	"unsafe"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// text returns a copy of part of a message. What is not UTF-8 becomes U+FFFD.
func (t *Translator) text(part []byte) string {
	if utf8.Valid(part) {
		return t.slab.Copy(part)
	}
	return string(bytes.ToValidUTF8(part, []byte("\uFFFD")))
}

// found returns a text of the access line at hand. Most of them are part of the body, and the body is valid UTF-8 and cut at
// ASCII characters only; what had escapes is in the parser's scratch and has to be copied.
func (t *Translator) found(field logline.Field) string {
	part, copied := t.access.Text(field)
	if copied {
		return t.text(part)
	}
	return view(part)
}

// either returns what the agent parsed, or else what was found in the line. Mostly they are the same, and the line, as the body, is kept anyway.
func (t *Translator) either(parsed wire.Text, field logline.Field) string {
	part := t.entry.Bytes(parsed)
	if absent(part) {
		return t.found(field)
	}
	if line, copied := t.access.Text(field); !copied && bytes.Equal(line, part) {
		return view(line)
	}
	return t.text(part)
}

// absent reports whether a field is empty, which NGINX writes as "-".
func absent(field []byte) bool { return len(field) == 0 || len(field) == 1 && field[0] == '-' }

// raw lends a string as bytes, which must not be changed.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// view lends bytes that do not change as a string.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
