package streamtap

import (
	"net"
	"sync"
)

// calls are the connections on which there have been calls, by the address of their client. gRPC hands on the very address that the connection
// returns, so its pointer tells connections apart.
type calls struct {
	mu   sync.Mutex
	open map[net.Addr]*Conn
}

func (s *calls) add(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[net.Addr]*Conn{}
	}
	if !c.closed {
		s.open[c.RemoteAddr()] = c
	}
}

func (s *calls) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed = true; s.open[c.RemoteAddr()] == c {
		delete(s.open, c.RemoteAddr())
	}
}

func (s *calls) of(client net.Addr) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[client]
}

// Claim returns the connection of the call whose headers gRPC is looking at, and whether this is the call that is tapped. It is
// for the goroutine that reads that connection, which gRPC's tap handle runs on; client is the address in the call's context.
func (t *Tap) Claim(client net.Addr) (c *Conn, tapped bool) {
	if c = t.calls.of(client); c == nil {
		return nil, false
	}
	return c, c.offered.Swap(false)
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.tap.calls.remove(c)
	c.stopAging()
	c.inbox.leave()
	return c.Conn.Close()
}
