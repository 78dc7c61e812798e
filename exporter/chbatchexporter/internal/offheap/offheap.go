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
type Memory struct{ bytes []byte }

// minSize below which bytes stay in Go's heap: pages and system calls would cost more than they save.
const minSize = 64 << 10

// Clone copies b.
func Clone(b []byte) *Memory {
	m := &Memory{}
	if len(b) >= minSize {
		if region, err := mapRegion(len(b)); err == nil {
			m.bytes = region
			mapped.Add(int64(len(region)))
			runtime.AddCleanup(m, giveBack, region)
		}
	}
	if m.bytes == nil {
		m.bytes = make([]byte, len(b))
	}
	copy(m.bytes, b)
	return m
}

// mapped is how many bytes are outside of the heap.
var mapped atomic.Int64

func giveBack(region []byte) {
	mapped.Add(-int64(len(region)))
	unmapRegion(region)
}

// Bytes of the memory. They must not be appended to.
func (m *Memory) Bytes() []byte { return m.bytes[:len(m.bytes):len(m.bytes)] }
