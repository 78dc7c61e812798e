package avikareceiver

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	g := startRig(t, func(c *Config) { c.NetAddr.Transport, c.NetAddr.Endpoint = confignet.TransportTypeUnix, socket })
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	stream, err := agentv1.NewCommanderClient(connection).Connect(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
}

func TestStreamsPerConnection(t *testing.T) {
	g := startRig(t, func(c *Config) { c.MaxConcurrentStreams = 1 })
	connection, err := grpc.NewClient(g.receiver.address.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	client := agentv1.NewCommanderClient(connection)
	first, err := client.Connect(t.Context())
	require.NoError(t, err)
	require.NoError(t, first.Send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = client.Connect(ctx)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
}

// A connection that has reached its age is told to go elsewhere, and its stream ends.
func TestKeepalive(t *testing.T) {
	keepalive := configgrpc.NewDefaultKeepaliveServerConfig()
	keepalive.ServerParameters.Get().MaxConnectionAge = 50 * time.Millisecond
	keepalive.ServerParameters.Get().MaxConnectionAgeGrace = 50 * time.Millisecond
	keepalive.EnforcementPolicy.Get().MinTime = time.Second
	g := startRig(t, func(c *Config) { c.Keepalive = configoptional.Some(keepalive) })
	for n := 0; g.logs.LogRecordCount() == 0; n++ { // an agent that is slower than the age comes again
		require.Less(t, n, 100)
		stream := g.dial()
		_ = stream.Send(numbered(0, n))
		require.Equal(t, codes.Unavailable, status.Code(endOf(stream)))
	}
	eventually(t, func() bool { return g.receiver.streams.len() == 0 })
}

// Whoever has no stream, because none was opened or it was refused, does not hold a connection for ever.
func TestConnectionsWithoutAStreamAreClosed(t *testing.T) {
	require.Equal(t, 5*time.Minute, createDefaultConfig().(*Config).Keepalive.Get().ServerParameters.Get().MaxConnectionIdle)
	g := startRig(t, func(c *Config) { c.Keepalive.Get().ServerParameters.Get().MaxConnectionIdle = 50 * time.Millisecond })
	agent := g.dial()
	require.NoError(t, agent.Send(numbered(0, 0)))
	idle, err := net.Dial("tcp", g.receiver.address.String())
	require.NoError(t, err)
	defer idle.Close()
	_, err = idle.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	require.NoError(t, idle.SetDeadline(time.Now().Add(30*time.Second)))
	framer := http2.NewFramer(idle, idle)
	require.NoError(t, framer.WriteSettings())
	for err == nil {
		var frame http2.Frame
		if frame, err = framer.ReadFrame(); err == nil && frame.Header().Type == http2.FramePing {
			_ = framer.WritePing(true, frame.(*http2.PingFrame).Data) // the connection may be closed already
		}
	}
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "closed by the receiver")
	require.NoError(t, agent.Send(numbered(0, 1)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
}

type middlewareDouble struct {
	component.StartFunc
	component.ShutdownFunc
	streams, messages atomic.Int32
}

// watched counts messages as they pass.
type watched struct {
	grpc.ServerStream
	messages *atomic.Int32
}

func (w watched) RecvMsg(m any) error {
	err := w.ServerStream.RecvMsg(m)
	if err == nil {
		w.messages.Add(1)
	}
	return err
}

func (m *middlewareDouble) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	return []grpc.ServerOption{grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		m.streams.Add(1)
		return handler(srv, watched{stream, &m.messages})
	})}, nil
}

func TestMiddlewares(t *testing.T) {
	id := component.MustNewID("middleware")
	double := &middlewareDouble{}
	g := newRig(t, func(c *Config) { c.Middlewares = []configmiddleware.Config{{ID: id}} })
	g.host = hostWith{id: double}
	g.start()
	require.NoError(t, g.dial().Send(numbered(0, 0)))
	eventually(t, func() bool {
		return g.logs.LogRecordCount() == 1 && double.streams.Load() == 1 && double.messages.Load() == 1
	})
}

// What cannot be found or read stops the start, with the name of what it is.
func TestStartFails(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"certificate": {func(c *Config) {
			c.TLS = configoptional.Some(configtls.ServerConfig{Config: configtls.Config{CertFile: "missing.pem", KeyFile: "missing.key"}})
		}, "load tls"},
		"middleware": {func(c *Config) { c.Middlewares = []configmiddleware.Config{{ID: component.MustNewID("missing")}} }, "middleware"},
		"key file":   {func(c *Config) { c.PSK.KeyFile = "missing" }, "psk::key_file"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, test.change)
			logs, err := NewFactory().CreateLogs(t.Context(), g.settings, g.config, &g.logs)
			require.NoError(t, err)
			require.ErrorContains(t, logs.Start(t.Context(), hostWith{}), test.says)
			require.NoError(t, logs.Shutdown(t.Context()))
		})
	}
}

func TestSizesAreGRPCsWhereNothingIsConfigured(t *testing.T) {
	require.Empty(t, sizeOptions(&configgrpc.ServerConfig{}))
	require.Len(t, sizeOptions(&configgrpc.ServerConfig{MaxRecvMsgSizeMiB: 1, MaxConcurrentStreams: 1, WriteBufferSize: 1}), 3)
}
