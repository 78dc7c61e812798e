package streamtap

import (
	"net"
	"sync"
)

// offers are the connections whose tapped call gRPC is just being told of, by the address of their client. gRPC hands on the very
// address that the connection returns, so its pointer tells connections apart.
type offers struct {
	mu   sync.Mutex
	open map[net.Addr]*Conn
}

func (o *offers) add(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = map[net.Addr]*Conn{}
	}
	o.open[c.RemoteAddr()] = c
}

func (o *offers) take(client net.Addr) *Conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.open[client]
	delete(o.open, client)
	return c
}

// Claim returns the connection of the call whose headers gRPC is looking at, if it is tapped. It is for the goroutine that
// reads that connection, which gRPC's tap handle runs on; client is the address in the call's context.
func (t *Tap) Claim(client net.Addr) *Conn { return t.offers.take(client) }

// withdraw ends the offer that gRPC has not taken up, because it refused the call.
func (c *Conn) withdraw() {
	if c.offered.CompareAndSwap(true, false) {
		c.tap.offers.take(c.RemoteAddr())
	}
}

func (c *Conn) offer() {
	c.offered.Store(true)
	c.tap.offers.add(c)
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.withdraw()
	return c.Conn.Close()
}
