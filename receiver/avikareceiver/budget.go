package avikareceiver

import (
	"context"
	"slices"
	"sync"
	"time"
)

// budget bounds the bytes that all streams hold. Those who wait are served in the order in which they came.
type budget struct {
	mu      sync.Mutex
	limit   int64
	used    int64
	waiting []*waiter
}

type waiter struct {
	need  int64
	ready chan struct{}
}

func newBudget(limit int64) *budget { return &budget{limit: limit} }

// try takes n bytes if they are free and nobody waits. More than the whole budget is granted when nothing else is taken.
func (b *budget) try(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0 && b.grant(n)
}

func (b *budget) grant(n int64) bool {
	if b.used > 0 && b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

// wait takes n bytes as soon as they are free, unless there is enough of waiting before. The receiver that stops stops everybody who waits.
func (b *budget) wait(ctx context.Context, n int64, enough <-chan time.Time) admission {
	b.mu.Lock()
	if len(b.waiting) == 0 && b.grant(n) {
		b.mu.Unlock()
		return admitted
	}
	w := &waiter{n, make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return admitted
	case <-ctx.Done():
		return refused
	case <-enough:
		return b.giveUp(w)
	}
}

// giveUp leaves the queue, unless the bytes have come at the same moment. Who is behind may need fewer.
func (b *budget) giveUp(w *waiter) admission {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return admitted
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.serve()
	return later
}

// release gives n bytes back.
func (b *budget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.serve()
}

// serve grants what those who wait need, in their order. With b.mu locked.
func (b *budget) serve() {
	for len(b.waiting) > 0 && b.grant(b.waiting[0].need) {
		close(b.waiting[0].ready)
		b.waiting[0] = nil
		b.waiting = b.waiting[1:]
	}
}

func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
