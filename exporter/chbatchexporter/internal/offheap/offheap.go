// Package offheap keeps large byte slices outside of Go's heap.
//
// The garbage collector lets the heap grow to twice of what is alive before it runs. For a queue that fills with
// compressed blocks, which hold no pointers, this would double the memory that its bound allows.
package offheap

import (
	"runtime"
	"sync/atomic"
)

// Memory owns bytes, which are valid as long as it is reachable: whoever uses them must keep it so, with runtime.KeepAlive
// where nothing else does. The garbage collector finds out when that is over, and gives the memory back to the system.
type Memory struct {
	bytes []byte
	// room is how many of the bytes are free, in front.
	room int
}

// minSize below which bytes stay in Go's heap: pages and system calls would cost more than they save.
const minSize = 64 << 10

// Clone copies b. Outside of the heap room bytes are left free in front of it.
func Clone(b []byte, room int) *Memory {
	m := &Memory{}
	if len(b) >= minSize {
		if region, err := mapRegion(room + len(b)); err == nil {
			m.bytes, m.room = region, room
			mapped.Add(int64(len(region)))
			runtime.AddCleanup(m, giveBack, region)
		}
	}
	if m.bytes == nil {
		m.bytes = make([]byte, len(b))
	}
	copy(m.bytes[m.room:], b)
	return m
}

// mapped is how many bytes are outside of the heap.
var mapped atomic.Int64

func giveBack(region []byte) {
	mapped.Add(-int64(len(region)))
	unmapRegion(region)
}

// Bytes of the memory. They must not be appended to.
func (m *Memory) Bytes() []byte { return m.bytes[m.room:len(m.bytes):len(m.bytes)] }

// Behind writes front into the room in front of the bytes and returns both. Without enough room it returns nothing.
func (m *Memory) Behind(front []byte) []byte {
	if len(front) > m.room {
		return nil
	}
	from := m.room - len(front)
	copy(m.bytes[from:], front)
	return m.bytes[from:len(m.bytes):len(m.bytes)]
}
