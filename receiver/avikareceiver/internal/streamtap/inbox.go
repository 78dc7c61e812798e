package streamtap

import (
	"errors"
	"sync"
)

// Sink takes the messages of a stream, one after the other.
type Sink interface {
	// Take takes a message, which is only valid until it returns. Without wait it must not block, and reports false when it cannot
	// take the message now; it is then offered again, with wait. After an error nothing is offered any more.
	Take(message []byte, wait bool) (taken bool, err error)
	// End says that there are no more messages: err is what Take or the framing failed with, and nil at the stream's end.
	End(err error)
}

// Errors with which a stream ends.
var (
	ErrTooLarge   = errors.New("message larger than the limit")
	ErrCompressed = errors.New("compressed message in a stream without compression")
	ErrTruncated  = errors.New("stream ended within a message")
	// ErrCut is ErrTruncated when the server has ended the stream.
	ErrCut = errors.New("the end of the stream has cut a message off")
)

// inbox hands messages on. At any time at most one goroutine does so: the connection's reader while the sink keeps up, and another one
// while it does not, so that pings are still answered. What it cannot take is held, encoded; flow control bounds it.
type inbox struct {
	assembler   assembler
	acknowledge func(n int)

	mu    sync.Mutex
	sink  Sink
	spawn func(func())
	held  []byte
	// busy says that a goroutine hands messages on, behind that it is not the reader's; ended that no more data are accepted, over that
	// the sink knows; gone that the client sends no more.
	busy, behind, ended, over, gone bool
	// late, when there is one, is closed when ended is set.
	late chan struct{}
}

// attach sets the sink. spawn starts a goroutine.
func (b *inbox) attach(sink Sink, spawn func(func())) {
	b.mu.Lock()
	b.sink, b.spawn = sink, spawn
	b.settle()
}

// add takes data of the stream on the reader's goroutine. It returns how many bytes need not be held any more, and how
// many are, with what was held before.
func (b *inbox) add(p []byte) (taken, holding int) {
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return 0, 0
	}
	if b.sink == nil || b.busy {
		b.held = append(b.held, p...)
		holding = len(b.held)
		b.mu.Unlock()
		return 0, holding
	}
	b.busy = true
	b.mu.Unlock()
	n, err := b.assembler.feed(p, b.sink, false)
	b.mu.Lock()
	b.busy = false
	if err != nil {
		b.fail(err)
		return n, 0
	}
	b.held = append(b.held, p[n:]...)
	holding = len(b.held)
	b.settle()
	return n, holding
}

// end says that no more data come.
func (b *inbox) end() {
	b.mu.Lock()
	b.stop()
	b.settle()
}

// stop makes it accept no more data.
func (b *inbox) stop() {
	if !b.ended && b.late != nil {
		close(b.late)
	}
	b.ended = true
}

// abandon throws away what has arrived for a call that was refused before anybody took its messages.
func (b *inbox) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sink == nil {
		b.stop()
		b.held = nil
	}
}

// settle starts a goroutine for what is held, or tells the sink of the end. It unlocks.
func (b *inbox) settle() {
	switch {
	case b.sink == nil || b.busy || b.over: // while busy, the assembler is somebody else's
	case len(b.held) > 0 || b.assembler.complete:
		b.busy, b.behind = true, true
		b.spawn(b.drain)
	case b.ended:
		err := b.assembler.rest()
		if err != nil && b.late != nil {
			err = ErrCut
		}
		b.over = true
		b.mu.Unlock()
		b.sink.End(err)
		return
	}
	b.mu.Unlock()
}

// fail ends the stream. It unlocks.
func (b *inbox) fail(err error) {
	b.stop()
	b.held = nil
	known := b.over
	b.over = true
	b.mu.Unlock()
	if !known {
		b.sink.End(err)
	}
}

// drain hands on what is held, waiting for the sink, until nothing is.
func (b *inbox) drain() {
	for {
		b.mu.Lock()
		p := b.held
		b.held = nil
		if len(p) == 0 && !b.assembler.complete {
			b.busy, b.behind = false, false
			b.settle()
			return
		}
		b.mu.Unlock()
		n, err := b.assembler.feed(p, b.sink, true)
		b.acknowledge(n)
		if err != nil {
			b.mu.Lock()
			b.busy = false
			b.fail(err)
			return
		}
	}
}
