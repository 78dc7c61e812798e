package avikareceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configoptional"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
)

// newServer builds the server from the standard settings itself, because configgrpc's own server has a stats handler that
// looks at each message; docs/adr/011 has the figures.
func (r *avikaReceiver) newServer(ctx context.Context, host component.Host) (*grpc.Server, error) {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}),
		// A fixed window bounds what an agent can make the gateway hold, and saves the pings that estimate a better one.
		grpc.StaticStreamWindowSize(int32(r.config.Limits.StreamWindow)),
		grpc.StaticConnWindowSize(int32(r.connectionWindow())),
		grpc.SharedWriteBuffer(true),
		grpc.WaitForHandlers(true),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.MaxHeaderListSize(maxHeaders),
	}
	r.tap = r.newTap()
	configured, err := r.configuredOptions(ctx, host)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(slices.Concat(configured, options, r.tapOptions())...)
	agentv1.RegisterCommanderServer(server, &commander{receiver: r})
	if r.registry != nil {
		r.registry.RegisterServices(server)
	}
	return server, nil
}

// maxHeaders is far more than agents and the proxies before them send. gRPC's own limit of 16 MiB is memory for whoever comes.
const maxHeaders = 64 << 10

// connectionTimeout is how long a client may take to say what it wants.
const connectionTimeout = 20 * time.Second

// minConnectionWindow keeps updates of the connection's window rare. What an agent can send is bounded by the
// window of its one stream.
const minConnectionWindow = 1 << 20

func (r *avikaReceiver) connectionWindow() int {
	return max(r.config.Limits.StreamWindow, minConnectionWindow)
}

// newTap returns a tap for the streams of agents. Middlewares may want to see messages, which then come through gRPC.
func (r *avikaReceiver) newTap() *streamtap.Tap {
	method := agentv1.Commander_Connect_FullMethodName
	if len(r.config.Middlewares) > 0 {
		method = ""
	}
	age := r.config.age()
	return streamtap.New(streamtap.Settings{
		Method:       method,
		StreamWindow: r.config.Limits.StreamWindow, ConnectionWindow: r.connectionWindow(),
		MaxMessage: r.maxMessage(), ReadBuffer: r.config.ReadBufferSize,
		MaxAge: age.MaxConnectionAge, Grace: age.MaxConnectionAgeGrace,
	})
}

// configuredOptions are those of the standard settings.
func (r *avikaReceiver) configuredOptions(ctx context.Context, host component.Host) ([]grpc.ServerOption, error) {
	config := &r.config.ServerConfig
	options := append(sizeOptions(config), keepaliveOptions(config.Keepalive)...)
	var secure credentials.TransportCredentials
	if config.TLS.HasValue() {
		tls, err := config.TLS.Get().LoadTLSConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("load tls: %w", err)
		}
		secure = credentials.NewTLS(tls)
	}
	options = append(options, grpc.Creds(newHandshake(secure, r)))
	guards, err := r.interceptors(ctx, host)
	if err != nil {
		return nil, err
	}
	options = append(options, guards...)
	for _, middleware := range config.Middlewares {
		more, err := middleware.GetGRPCServerOptions(ctx, host.GetExtensions())
		if err != nil {
			return nil, fmt.Errorf("middleware: %w", err)
		}
		options = append(options, more...)
	}
	return options, nil
}

// sizeOptions leaves gRPC's defaults where nothing is configured.
func sizeOptions(config *configgrpc.ServerConfig) []grpc.ServerOption {
	var options []grpc.ServerOption
	if config.MaxRecvMsgSizeMiB > 0 {
		options = append(options, grpc.MaxRecvMsgSize(config.MaxRecvMsgSizeMiB<<20))
	}
	if config.MaxConcurrentStreams > 0 {
		options = append(options, grpc.MaxConcurrentStreams(config.MaxConcurrentStreams))
	}
	if config.WriteBufferSize > 0 {
		options = append(options, grpc.WriteBufferSize(config.WriteBufferSize))
	}
	return options
}

func keepaliveOptions(config configoptional.Optional[configgrpc.KeepaliveServerConfig]) []grpc.ServerOption {
	if !config.HasValue() {
		return nil
	}
	var options []grpc.ServerOption
	if parameters := config.Get().ServerParameters; parameters.HasValue() {
		p := parameters.Get()
		options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: p.MaxConnectionIdle, Time: p.Time, Timeout: p.Timeout, // the tap sees to MaxConnectionAge
		}))
	}
	if policy := config.Get().EnforcementPolicy; policy.HasValue() {
		options = append(options, grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: policy.Get().MinTime, PermitWithoutStream: policy.Get().PermitWithoutStream,
		}))
	}
	return options
}

// interceptors tell the pipeline who the client is and keep strangers out: first the collector's authenticator, then the
// pre-shared key.
func (r *avikaReceiver) interceptors(ctx context.Context, host component.Host) ([]grpc.ServerOption, error) {
	var authenticate authenticator
	if r.config.Auth.HasValue() {
		server, err := r.config.Auth.Get().GetServerAuthenticator(ctx, host.GetExtensions())
		if err != nil {
			return nil, err
		}
		authenticate = server.Authenticate
	}
	admit := func(ctx context.Context) (context.Context, error) {
		ctx = withClient(ctx, r.config.IncludeMetadata)
		if authenticate != nil {
			var err error
			if ctx, err = r.authenticateWith(ctx, authenticate); err != nil {
				return nil, err
			}
		}
		return r.authenticate(ctx)
	}
	return []grpc.ServerOption{
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			admitted, err := admit(stream.Context())
			if err != nil {
				return err
			}
			return handler(srv, &admittedStream{stream, admitted})
		}),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			admitted, err := admit(ctx)
			if err != nil {
				return nil, err
			}
			return handler(admitted, request)
		}),
	}, nil
}

type authenticator func(ctx context.Context, sources map[string][]string) (context.Context, error)

var errNoMetadata = errors.New("no request metadata found")

// withClient puts into the context what the pipeline may know of the client.
func withClient(ctx context.Context, includeMetadata bool) context.Context {
	info := client.FromContext(ctx)
	if p, ok := peer.FromContext(ctx); ok {
		info.Addr = p.Addr
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok && includeMetadata {
		copied := md.Copy()
		if len(md[client.MetadataHostName]) == 0 && len(md[":authority"]) > 0 {
			copied[client.MetadataHostName] = md[":authority"]
		}
		info.Metadata = client.NewMetadata(copied)
	}
	return client.NewContext(ctx, info)
}

type admittedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the stream's context with what is known of its client.
func (s *admittedStream) Context() context.Context { return s.ctx }

type commander struct {
	agentv1.UnimplementedCommanderServer
	receiver *avikaReceiver
}

// Connect serves the stream of an agent.
func (c *commander) Connect(connection agentv1.Commander_ConnectServer) error {
	return c.receiver.connect(connection)
}
