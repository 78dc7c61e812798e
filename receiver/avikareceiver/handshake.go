package avikareceiver

import (
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
)

// handshake counts connections that fail before there is a stream: gRPC closes them without a word, and somebody wonders why
// an agent does not come online. It also knows the connections that have not said anything yet, for which a shutdown of gRPC's
// server would wait.
type handshake struct {
	credentials.TransportCredentials
	telemetry *telemetry
	plaintext bool
	waiting   *connections
	tap       *streamtap.Tap
}

// newHandshake wraps TLS credentials, or none.
func newHandshake(tls credentials.TransportCredentials, r *avikaReceiver) handshake {
	h := handshake{tls, r.telemetry, false, &r.waiting, r.tap}
	if tls == nil {
		h.TransportCredentials, h.plaintext = insecure.NewCredentials(), true
	}
	return h
}

// Clone returns credentials that count too.
func (h handshake) Clone() credentials.TransportCredentials {
	h.TransportCredentials = h.TransportCredentials.Clone()
	return h
}

// ServerHandshake looks at the first bytes of a plaintext connection, or shakes hands for TLS.
func (h handshake) ServerHandshake(connection net.Conn) (net.Conn, credentials.AuthInfo, error) {
	h.waiting.add(connection)
	defer h.waiting.remove(connection)
	if h.plaintext {
		if reason := mistake(peek(connection)); reason != "" {
			h.telemetry.refusedStream(reason, zap.Stringer("address", connection.RemoteAddr()))
			return nil, nil, errNotGRPC
		}
	}
	secured, info, err := h.TransportCredentials.ServerHandshake(connection)
	if err != nil {
		h.telemetry.refusedStream(refusedTLS, zap.Stringer("address", connection.RemoteAddr()), zap.Error(err))
		return secured, info, err
	}
	return h.tap.Conn(secured, h.plaintext), info, nil
}

// connections are those that shake hands.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	gone bool
}

func (c *connections) add(connection net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		expire(connection)
	}
	if c.open == nil {
		c.open = map[net.Conn]struct{}{}
	}
	c.open[connection] = struct{}{}
}

func (c *connections) remove(connection net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, connection)
}

// giveUp ends the handshakes that are under way, and those to come.
func (c *connections) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for connection := range c.open {
		expire(connection)
	}
}

// expire makes reads fail, now and later.
func expire(connection net.Conn) {
	_ = connection.SetDeadline(time.Unix(1, 0)) // it fails only on a connection that is closed already
}

var errNotGRPC = errors.New("the connection does not speak HTTP/2")

// prefaceStart tells HTTP/2 from what else arrives on a port.
const prefaceStart = "PRI "

// peekBytes is the length of HTTP/2's preface and of the head of the frame behind it, which gRPC waits for. Clients send them at once.
const peekBytes = 24 + 9

// mistake says what a connection speaks instead of HTTP/2, as far as its first bytes tell.
func mistake(first []byte) string {
	const recordHandshake = 0x16
	switch {
	case len(first) == 0:
		return ""
	case first[0] == recordHandshake:
		return refusedTLSToPlaintext
	case len(first) < len(prefaceStart), string(first[:len(prefaceStart)]) == prefaceStart:
		return ""
	default:
		return refusedNotHTTP2
	}
}
