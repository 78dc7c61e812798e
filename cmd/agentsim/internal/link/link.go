// Package link opens and holds the one stream that an agent has to its gateway.
//
// There are two transports. Library is grpc-go, as stock agents use it. Wire writes the same bytes itself (one DATA
// frame per message, on a connection of its own) at a small part of the CPU and memory, so that a simulated fleet
// leaves the machine to the gateway under test.
package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const connectMethod = "/nginx.agent.v1.Commander/Connect"

// Transport selects how messages get onto the wire.
type Transport string

// The two transports; see the package comment.
const (
	Library Transport = "grpc"
	Wire    Transport = "wire"
)

// ParseTransport accepts "grpc" and "wire".
func ParseTransport(s string) (Transport, error) {
	switch t := Transport(s); t {
	case Library, Wire:
		return t, nil
	}
	return "", fmt.Errorf("transport %q: want grpc or wire", s)
}

// Identity is what an agent says about itself when its stream opens.
type Identity struct {
	AgentID  string
	Hostname string
}

// Stream is one open Connect call. Send and CloseSend are for one goroutine at a time.
type Stream interface {
	// Send blocks until all of the batch is handed over, or the stream has ended. It reports how many messages were
	// handed over, also beside an error.
	Send(ctx context.Context, b *Batch) (messages int, err error)
	// CloseSend says that no more messages follow; the gateway then ends the stream.
	CloseSend() error
	// Done is closed when the stream has ended; Err then says why, and is nil for status OK.
	Done() <-chan struct{}
	Err() error
	// Stalled is the time spent waiting for flow control so far.
	Stalled() time.Duration
	// Close frees everything, also after the stream has ended.
	Close()
}

// Dialer opens streams to one gateway.
type Dialer struct {
	Target    string // host:port
	Key       Key    // none: no authentication metadata
	TLS       *tls.Config
	Transport Transport
	Timeout   time.Duration // of connecting; 10 s when 0
}

// Open dials and opens a stream. onCommand runs on the stream's own goroutine and must not block.
func (d *Dialer) Open(ctx context.Context, who Identity, onCommand func(*agentv1.ServerCommand)) (Stream, error) {
	if d.Transport == Wire {
		return d.openWire(ctx, who, onCommand)
	}
	return d.openLibrary(ctx, who, onCommand)
}

func (d *Dialer) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return 10 * time.Second
}
