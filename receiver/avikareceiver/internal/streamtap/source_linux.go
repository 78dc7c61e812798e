package streamtap

import (
	"io"
	"net"
	"syscall"
)

// source fills a connection's buffer. Where it can it holds a buffer only while there is something to read: thousands of agents are
// silent most of the time.
type source interface {
	fill()
}

func newSource(c *Conn) source {
	if conn, ok := c.Conn.(syscall.Conn); ok {
		if raw, err := conn.SyscallConn(); err == nil {
			s := &socketSource{conn: c, raw: raw}
			s.read = s.readable
			return s
		}
	}
	return streamSource{c}
}

type socketSource struct {
	conn *Conn
	raw  syscall.RawConn
	read func(fd uintptr) bool
}

// fill reads until there is something for gRPC.
func (s *socketSource) fill() {
	if err := s.raw.Read(s.read); err != nil {
		s.conn.err = err
	}
}

// readable reads what there is. It reports false to be called again when there is more.
func (s *socketSource) readable(fd uintptr) bool {
	c := s.conn
	for {
		n, err := syscall.Read(int(fd), c.room())
		switch {
		case n > 0:
			c.to += n
			c.arrived += n
			if c.advance() || c.err != nil {
				return true
			}
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			c.giveBack()
			return false
		case err != nil:
			c.err = &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
			return true
		default:
			c.err = io.EOF
			return true
		}
	}
}
