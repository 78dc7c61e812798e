package translate

import "strings"

// Room keeps encoded entries for as long as anybody holds the data that are made of them. It is never used again.
type Room struct {
	// memory is a builder because that gets memory which nobody has cleared before it is written to.
	memory *strings.Builder
}

// roomBytes is what is allocated at a time, when there are many entries: less than what the allocator calls large.
const roomBytes = 16<<10 - 8

// Keep returns a copy of an entry. It allocates for about as many bytes as are expected with it.
func (r *Room) Keep(encoded []byte, expected int) []byte {
	if r.memory == nil || r.memory.Cap()-r.memory.Len() < len(encoded) {
		r.memory = &strings.Builder{}
		r.memory.Grow(max(len(encoded), min(expected, roomBytes)))
	}
	from := r.memory.Len()
	r.memory.Write(encoded)
	return raw(r.memory.String()[from:])
}
