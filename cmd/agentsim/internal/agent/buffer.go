package agent

import (
	"context"
	"sync"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/tail"
)

// message is an encoded AgentMessage on its way. A line of a followed log carries where it ends, so that a later run
// goes on behind it.
type message struct {
	encoded []byte
	kind    kind
	end     tail.Position
}

// buffer is the agent's write-ahead buffer, bounded in bytes. When it is full, log lines wait in their file; what has
// no file to wait in is dropped and counted.
type buffer struct {
	mu      sync.Mutex
	queue   []message
	bytes   int
	limit   int
	dropped int64
	changed chan struct{} // closed and replaced at every change
}

func newBuffer(limit int) *buffer { return &buffer{limit: limit, changed: make(chan struct{})} }

// put waits for room.
func (b *buffer) put(ctx context.Context, m message) error {
	for {
		changed, ok := b.offer(m)
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryPut drops the message when there is no room.
func (b *buffer) tryPut(m message) {
	if _, ok := b.offer(m); ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped++
}

// offer takes the message when there is room, or when it is the only one.
func (b *buffer) offer(m message) (changed <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes+len(m.encoded) > b.limit && len(b.queue) > 0 {
		return b.changed, false
	}
	b.queue = append(b.queue, m)
	b.bytes += len(m.encoded)
	b.wake()
	return nil, true
}

// wake needs the lock.
func (b *buffer) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// head returns the oldest messages, up to about size bytes, without removing them, and a channel that is closed at the
// next change.
func (b *buffer) head(size int) ([]message, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for sum := 0; n < len(b.queue) && sum < size; n++ {
		sum += len(b.queue[n].encoded)
	}
	return b.queue[:n:n], b.changed
}

// remove drops the n oldest messages.
func (b *buffer) remove(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.queue[:n] {
		b.bytes -= len(b.queue[i].encoded)
		b.queue[i].encoded = nil
	}
	if b.queue = b.queue[n:]; len(b.queue) == 0 {
		b.queue = nil
	}
	b.wake()
}

func (b *buffer) droppedMessages() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

func (b *buffer) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}
