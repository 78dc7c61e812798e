package avikareceiver

import (
	"context"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

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

// authenticateWith asks the collector's authenticator.
func (r *avikaReceiver) authenticateWith(ctx context.Context, ask authenticator) (context.Context, error) {
	headers, ok := metadata.FromIncomingContext(ctx)
	if !ok {
		return nil, r.refuse(refusedAuth, codes.Unauthenticated, errNoMetadata.Error())
	}
	authenticated, err := ask(ctx, headers)
	if err == nil {
		return authenticated, nil
	}
	r.telemetry.refusedStream(refusedAuth, addressOf(ctx), zap.Error(err))
	if s, ok := status.FromError(err); ok {
		return nil, s.Err()
	}
	return nil, status.Error(codes.Unauthenticated, err.Error())
}

// addressOf is where a call comes from, for the log.
func addressOf(ctx context.Context) zap.Field {
	return zap.String("address", peerAddress(peer.FromContext(ctx)))
}

// authenticate puts into the context who the client has proved to be. It protects the registry's services, which share the
// port, as well as the streams of agents.
func (r *avikaReceiver) authenticate(ctx context.Context) (context.Context, error) {
	proven := identity{authentication: r.otherAuthentication(ctx)}
	if r.psk != nil {
		var reason, message string
		if proven, reason, message = r.psk.verify(ctx); reason != "" {
			return nil, r.refuse(reason, codes.Unauthenticated, message, addressOf(ctx))
		}
	}
	ctx = agentsession.ContextWithPeer(ctx, agentsession.Peer{
		AgentID: proven.agentID, Hostname: proven.hostname, Authentication: proven.authentication,
	})
	return context.WithValue(ctx, identityKey{}, proven), nil
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
