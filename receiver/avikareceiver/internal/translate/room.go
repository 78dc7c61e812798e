package translate

import "sync"

// Room keeps encoded entries until they are translated.
type Room struct {
	memory []byte
	// chunks are from the pool.
	chunks []*chunk
}

// chunk is what is taken at a time when there are many entries.
type chunk [16 << 10]byte

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// Keep returns a copy of an entry. It takes memory for about as many bytes as are expected with it.
func (r *Room) Keep(encoded []byte, expected int) []byte {
	if cap(r.memory)-len(r.memory) < len(encoded) {
		r.grow(len(encoded), expected)
	}
	from := len(r.memory)
	r.memory = append(r.memory, encoded...)
	return r.memory[from:len(r.memory):len(r.memory)]
}

func (r *Room) grow(n, expected int) {
	if expected < len(chunk{}) || n > len(chunk{}) {
		r.memory = make([]byte, 0, max(n, min(expected, len(chunk{}))))
		return
	}
	c := chunks.Get().(*chunk)
	r.chunks = append(r.chunks, c)
	r.memory = c[:0]
}

// Release gives the memory back. Nobody may have an entry any more.
func (r *Room) Release() {
	for _, c := range r.chunks {
		chunks.Put(c)
	}
	*r = Room{}
}
