// Package gatewaytest is a real gRPC server that keeps what agents send, for tests of the agent.
package gatewaytest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Gateway receives agents' streams.
type Gateway struct {
	agentv1.UnimplementedCommanderServer
	Addr string
	// Refuse, when set, ends a new stream at once with its error.
	Refuse func(md metadata.MD) error
	// Received, when set, gets every message instead of Messages.
	Received func(*agentv1.AgentMessage)
	// Hold, when set, is read from before each receive, so that a test can make the gateway slow.
	Hold chan struct{}

	Streams atomic.Int64

	mu       sync.Mutex
	messages []*agentv1.AgentMessage
	open     []agentv1.Commander_ConnectServer
	headers  []metadata.MD
	server   *grpc.Server
}

// Start listens on addr, or on a free port when it is empty, until the test ends.
func (g *Gateway) Start(t testing.TB, addr string, cfg *tls.Config) *Gateway {
	t.Helper()
	if addr == "" {
		addr = free(t)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var opts []grpc.ServerOption
	if cfg != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(cfg)))
	}
	g.server, g.Addr = grpc.NewServer(opts...), lis.Addr().String()
	agentv1.RegisterCommanderServer(g.server, g)
	served := make(chan struct{})
	go func() { defer close(served); _ = g.server.Serve(lis) }()
	t.Cleanup(func() { g.Stop(); <-served })
	return g
}

// free is an address that stays free while the gateway is away: what connects does not take its port.
func free(t testing.TB) string {
	t.Helper()
	ports, err := localstack.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
}

// StopNoticed breaks all streams, and returns when an agent has noticed: it tries to connect.
func (g *Gateway) StopNoticed(t testing.TB) {
	t.Helper()
	g.Stop()
	lis, err := net.Listen("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	conn, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// Stop breaks all streams.
func (g *Gateway) Stop() { g.server.Stop() }

// Connect implements the service.
func (g *Gateway) Connect(s agentv1.Commander_ConnectServer) error {
	md, _ := metadata.FromIncomingContext(s.Context())
	if g.Refuse != nil {
		if err := g.Refuse(md); err != nil {
			return err
		}
	}
	g.Streams.Add(1)
	g.mu.Lock()
	g.open, g.headers = append(g.open, s), append(g.headers, md)
	g.mu.Unlock()
	for {
		if g.Hold != nil {
			select {
			case <-g.Hold:
			case <-s.Context().Done():
				return s.Context().Err()
			}
		}
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		g.keep(m)
	}
}

func (g *Gateway) keep(m *agentv1.AgentMessage) {
	if g.Received != nil {
		g.Received(m)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.messages = append(g.messages, m)
}

// Messages returns what came so far.
func (g *Gateway) Messages() []*agentv1.AgentMessage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*agentv1.AgentMessage(nil), g.messages...)
}

// Headers returns the metadata of the streams that opened.
func (g *Gateway) Headers() []metadata.MD {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]metadata.MD(nil), g.headers...)
}

// Send sends a command on the newest stream.
func (g *Gateway) Send(t testing.TB, cmd *agentv1.ServerCommand) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.open) == 0 {
		t.Fatal("no stream is open")
	}
	if err := g.open[len(g.open)-1].Send(cmd); err != nil {
		t.Fatal(err)
	}
}
