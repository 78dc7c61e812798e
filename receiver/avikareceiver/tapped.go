package avikareceiver

import (
	"net"
	"sync"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
)

// tappedConnections finds a connection's tap by the address of its client. gRPC hands on the very address that the connection returned, so
// the pointer tells connections apart.
type tappedConnections struct {
	mu   sync.Mutex
	taps map[net.Addr]*streamtap.Conn
}

// tappedConn is a connection that is known as long as it is open.
type tappedConn struct {
	*streamtap.Conn
	known *tappedConnections
}

func (t *tappedConnections) add(c *streamtap.Conn) net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taps == nil {
		t.taps = map[net.Addr]*streamtap.Conn{}
	}
	t.taps[c.RemoteAddr()] = c
	return tappedConn{c, t}
}

func (t *tappedConnections) find(address net.Addr) *streamtap.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taps[address]
}

// Close forgets the connection and closes it.
func (c tappedConn) Close() error {
	c.known.mu.Lock()
	if c.known.taps[c.RemoteAddr()] == c.Conn {
		delete(c.known.taps, c.RemoteAddr())
	}
	c.known.mu.Unlock()
	return c.Conn.Close()
}
