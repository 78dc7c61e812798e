//go:build !linux

package streamtap

// source fills a connection's buffer.
type source interface {
	fill()
}

func newSource(c *Conn) source { return streamSource{c} }
