package streamtap

import "sync"

// streamSource reads from a connection that cannot be asked whether there is something to read, such as TLS. It holds a buffer while it
// waits.
type streamSource struct {
	conn *Conn
}

func (s streamSource) fill() {
	c := s.conn
	n, err := c.Conn.Read(c.room())
	c.to += n
	if n == 0 && err != nil {
		c.err = err
	}
}

// room returns the part of the buffer that can be read into, which is never empty: what is left in the buffer moves to its start, and
// is less than a frame that fits.
func (c *Conn) room() []byte {
	if c.buffer == nil {
		c.buffer = c.pool().Get().(*[]byte)
	}
	if c.from > 0 {
		c.to = copy(*c.buffer, (*c.buffer)[c.from:c.to])
		c.from = 0
	}
	return (*c.buffer)[c.to:]
}

// giveBack returns the buffer when there is nothing in it. How much came with it says which one is taken next.
func (c *Conn) giveBack() {
	if c.buffer != nil && c.from == c.to {
		c.pool().Put(c.buffer)
		c.buffer, c.from, c.to = nil, 0, 0
		c.busy, c.arrived = c.arrived >= smallBuffer, 0
	}
}

// pool is that of the buffers that fit the connection. Most agents send little: theirs stay in the CPU's caches, and cost little when
// thousands of connections are read at once.
func (c *Conn) pool() *sync.Pool {
	if c.busy {
		return &c.tap.large
	}
	return &c.tap.small
}
