package chconn

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxIdle is below the time after which ClickHouse and usual load balancers close a connection that does nothing.
const maxIdle = 4 * time.Minute

// ErrClosed is returned by a pool after Close.
var ErrClosed = errors.New("connections to ClickHouse are closed")

// Pool keeps connections to one server. Safe for concurrent use.
type Pool struct {
	opts  Options
	slots chan struct{} // shared between pools: connections that may be open

	mu     sync.Mutex
	idle   []*Conn
	closed bool
}

// NewSlots bounds the connections of the pools that share it.
func NewSlots(n int) chan struct{} { return make(chan struct{}, n) }

// NewPool makes a pool; it connects when a connection is asked for.
func NewPool(o Options, slots chan struct{}) *Pool { return &Pool{opts: o, slots: slots} }

// Addr of the server.
func (p *Pool) Addr() string { return p.opts.Addr }

// Do calls fn with a connection, waiting for a free slot.
func (p *Pool) Do(ctx context.Context, fn func(*Conn) error) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.slots }()
	c, err := p.get(ctx)
	if err != nil {
		return err
	}
	defer p.put(c)
	return fn(c)
}

func (p *Pool) get(ctx context.Context) (*Conn, error) {
	for {
		c, err := p.pop()
		if err != nil {
			return nil, err
		}
		if c == nil {
			return Dial(ctx, p.opts)
		}
		if time.Since(c.idleSince) < maxIdle {
			return c, nil
		}
		_ = c.Close()
	}
}

func (p *Pool) pop() (*Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return c, nil
}

func (p *Pool) put(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.broken || p.closed {
		_ = c.Close()
		return
	}
	c.idleSince = time.Now()
	p.idle = append(p.idle, c)
}

// Close closes idle connections now and others when they are given back.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.Close()
	}
	p.idle = nil
}
