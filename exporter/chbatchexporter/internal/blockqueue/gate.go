package blockqueue

import (
	"context"
	"slices"
	"sync"
)

// gate bounds what is in the queue.
type gate struct {
	maxRows, maxBytes int
	block             bool
	// held is called when somebody begins to wait.
	held func()

	mu          sync.Mutex
	rows, bytes int
	waiting     []*waiter
	closed      bool
}

type waiter struct {
	rows  int
	ready chan error
}

// enter takes room for rows, all or nothing. A call that is larger than the queue may enter when it is empty.
func (g *gate) enter(ctx context.Context, rows int) error {
	g.mu.Lock()
	switch {
	case g.closed:
		g.mu.Unlock()
		return ErrClosed
	case len(g.waiting) == 0 && g.fits(rows):
		g.rows += rows
		g.mu.Unlock()
		return nil
	case !g.block:
		g.mu.Unlock()
		return ErrFull
	}
	w := &waiter{rows: rows, ready: make(chan error, 1)}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	g.held()
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		return g.giveUp(ctx, w)
	}
}

func (g *gate) fits(rows int) bool {
	return g.rows == 0 || g.rows+rows <= g.maxRows && g.bytes < g.maxBytes
}

// pressed tells whether room is short, so that rows should not wait for company.
func (g *gate) pressed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting) > 0 || 2*g.rows > g.maxRows || 2*g.bytes > g.maxBytes
}

func (g *gate) giveUp(ctx context.Context, w *waiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return context.Cause(ctx)
	}
	return <-w.ready // it came at the same moment
}

// change adds rows and bytes, or takes them away, and lets in who fits now.
func (g *gate) change(rows, bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows += rows
	g.bytes += bytes
	for len(g.waiting) > 0 && g.fits(g.waiting[0].rows) {
		g.rows += g.waiting[0].rows
		g.waiting[0].ready <- nil
		g.waiting = slices.Delete(g.waiting, 0, 1)
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, w := range g.waiting {
		w.ready <- ErrClosed
	}
	g.waiting = nil
}

func (g *gate) fill() (rows, bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rows, g.bytes
}
