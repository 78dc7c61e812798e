package streamtap

import (
	"math/rand/v2"
	"sync"
	"time"
)

// age ends connections that are old.
type age struct {
	mu     sync.Mutex
	timer  *time.Timer
	closed bool
	// reached is closed at the age; it is nil when there is none.
	reached chan struct{}
}

// Aged is closed when the connection has reached its age. Who takes the messages of the tapped call then ends it and calls Leave.
func (c *Conn) Aged() <-chan struct{} { return c.age.reached }

// startAging spreads the ends of connections that were opened together.
func (c *Conn) startAging() {
	maximum := c.tap.settings.MaxAge
	if maximum == 0 {
		return
	}
	c.age.reached = make(chan struct{})
	jitter := time.Duration(float64(maximum) * (rand.Float64() - 0.5) / 5)
	c.age.mu.Lock()
	defer c.age.mu.Unlock()
	c.age.timer = time.AfterFunc(maximum+jitter, c.grow)
}

func (c *Conn) stopAging() {
	c.age.mu.Lock()
	defer c.age.mu.Unlock()
	if c.age.closed = true; c.age.timer != nil {
		c.age.timer.Stop()
	}
}

// grow is called at the connection's age. One whose tapped call is over, or which has none, is left at once.
func (c *Conn) grow() {
	if !c.startGrace() {
		return
	}
	close(c.age.reached)
	if c.outgoing.id.Load() == 0 || c.outgoing.ended.Load() {
		c.Leave()
	}
}

// startGrace reports false when the connection is closed already.
func (c *Conn) startGrace() bool {
	c.age.mu.Lock()
	defer c.age.mu.Unlock()
	if grace := c.tap.settings.Grace; grace > 0 && !c.age.closed {
		c.age.timer = time.AfterFunc(grace, func() { _ = c.Close() }) // its reader gets to know
	}
	return !c.age.closed
}
