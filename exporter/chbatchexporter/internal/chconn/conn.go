package chconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// protocolVersion is what this package speaks; servers since 23.1 speak it or more.
const protocolVersion = 54460

// clientName is how the exporter shows in ClickHouse's query log.
const clientName = "otelcol ch_batch"

// Options say how to connect.
type Options struct {
	// Addr is host:port.
	Addr     string
	User     string
	Password string
	// TLS; nil: plain text.
	TLS *tls.Config
	// DialTimeout bounds the connection and the handshake.
	DialTimeout time.Duration
}

// Conn is one connection. Not safe for concurrent use.
type Conn struct {
	net    net.Conn
	r      *proto.Reader
	buf    proto.Buffer
	server proto.ServerHello
	// broken means that the connection cannot be used again.
	broken bool
	// since it was put back into its pool.
	idleSince time.Time
}

// Dial connects and shakes hands.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	n, err := dialNet(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to ClickHouse: %w", err)
	}
	c := &Conn{net: n, r: proto.NewReader(n)}
	stop := c.watch(ctx)
	err = c.handshake(o)
	if stop(); err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("connect to ClickHouse at %s: %w", o.Addr, cause(ctx, err))
	}
	return c, nil
}

func dialNet(ctx context.Context, o Options) (net.Conn, error) {
	if o.TLS == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", o.Addr)
	}
	d := tls.Dialer{Config: o.TLS}
	return d.DialContext(ctx, "tcp", o.Addr)
}

// watch makes reads and writes fail when ctx ends. The returned function ends the watch.
func (c *Conn) watch(ctx context.Context) (stop func()) {
	_ = c.net.SetDeadline(time.Time{})
	unhook := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	return func() {
		if !unhook() {
			c.broken = true
		}
	}
}

// cause prefers the reason why ctx ended to the error that this made.
func cause(ctx context.Context, err error) error {
	var server *Error
	if ctx.Err() != nil && !errors.As(err, &server) {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}

func (c *Conn) handshake(o Options) error {
	c.buf.Reset()
	proto.ClientHello{
		Name: clientName, Major: 1, Minor: 0, ProtocolVersion: protocolVersion,
		User: o.User, Password: o.Password,
	}.Encode(&c.buf)
	if err := c.flush(); err != nil {
		return err
	}
	code, err := c.packet()
	if err != nil {
		return err
	}
	if code == proto.ServerCodeException {
		return c.exception()
	}
	if code != proto.ServerCodeHello {
		return fmt.Errorf("unexpected packet %s instead of hello", code)
	}
	if err := c.server.DecodeAware(c.r, protocolVersion); err != nil {
		return err
	}
	if c.server.Revision < protocolVersion {
		return fmt.Errorf("ClickHouse %d.%d is too old, 23.1 is the oldest supported", c.server.Major, c.server.Minor)
	}
	c.buf.PutString("") // addendum: quota key
	return c.flush()
}

// Version of the server as major*1000+minor.
func (c *Conn) Version() int { return c.server.Major*1000 + c.server.Minor }

// Close ends the connection.
func (c *Conn) Close() error { return c.net.Close() }

func (c *Conn) flush() error {
	_, err := c.net.Write(c.buf.Buf)
	c.buf.Reset()
	return err
}

func (c *Conn) packet() (proto.ServerCode, error) {
	b, err := c.r.ReadByte()
	return proto.ServerCode(b), err
}

func (c *Conn) exception() error {
	var e proto.Exception
	if err := e.DecodeAware(c.r, protocolVersion); err != nil {
		return fmt.Errorf("read exception: %w", err)
	}
	return &Error{Code: Code(e.Code), Name: e.Name, Message: e.Message}
}
