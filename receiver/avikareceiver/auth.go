package avikareceiver

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
)

// identity is who a client has proved to be. The agent's id is empty where nothing proves it.
type identity struct {
	agentID, hostname string
	authentication    agentsession.Authentication
}

type identityKey struct{}

func identityFrom(ctx context.Context) identity {
	proven, _ := ctx.Value(identityKey{}).(identity)
	return proven
}

// authenticateStream runs after the collector's own authenticators and before the first message is read.
func (r *avikaReceiver) authenticateStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	proven, err := r.authenticate(stream.Context())
	if err != nil {
		return err
	}
	return handler(srv, &authenticatedStream{stream, context.WithValue(stream.Context(), identityKey{}, proven)})
}

// authenticateCall protects the registry's services that share the port.
func (r *avikaReceiver) authenticateCall(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	proven, err := r.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return handler(context.WithValue(ctx, identityKey{}, proven), request)
}

func (r *avikaReceiver) authenticate(ctx context.Context) (identity, error) {
	if r.psk == nil {
		return identity{authentication: r.otherAuthentication(ctx)}, nil
	}
	proven, reason := r.psk.verify(ctx)
	if reason == "" {
		return proven, nil
	}
	return proven, r.refuse(reason, codes.Unauthenticated, pskMessages[reason])
}

// otherAuthentication says what stands for the client when there is no pre-shared key.
func (r *avikaReceiver) otherAuthentication(ctx context.Context) agentsession.Authentication {
	if r.config.Auth.HasValue() {
		return agentsession.AuthenticationExtension
	}
	if p, ok := peer.FromContext(ctx); ok {
		if tls, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(tls.State.VerifiedChains) > 0 {
			return agentsession.AuthenticationMTLS
		}
	}
	return agentsession.AuthenticationNone
}

type authenticatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the stream's context with the client's identity.
func (s *authenticatedStream) Context() context.Context { return s.ctx }
