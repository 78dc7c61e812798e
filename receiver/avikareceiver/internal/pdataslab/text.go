package pdataslab

import "strings"

// text hands out memory for strings, which is never handed out again, because consumers may keep strings.
type text struct {
	// memory is a builder because that gets memory which nobody has cleared before it is written to.
	memory *strings.Builder
}

// largeText has memory of its own.
const largeText = chunkBytes / 4

func (t *text) copy(b []byte) string {
	if len(b) > largeText {
		return string(b)
	}
	if t.memory == nil || t.memory.Cap()-t.memory.Len() < len(b) {
		t.memory = &strings.Builder{}
		t.memory.Grow(chunkBytes)
	}
	from := t.memory.Len()
	t.memory.Write(b)
	return t.memory.String()[from:]
}
