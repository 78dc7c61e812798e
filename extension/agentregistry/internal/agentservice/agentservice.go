// Package agentservice answers the gRPC calls that tools make on the agents' port.
package agentservice

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/internal/agentid"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Service implements agentv1.AgentService. The server's own authentication stands before it.
type Service struct {
	agentv1.UnimplementedAgentServiceServer
	fleet   *fleet.Fleet
	version string
	// control is "auth", "open" or "off", as for HTTP.
	control string
}

// Register adds the service to a server.
func Register(server grpc.ServiceRegistrar, f *fleet.Fleet, version, control string) {
	agentv1.RegisterAgentServiceServer(server, &Service{fleet: f, version: version, control: control})
}

// ListAgents returns all agents by id.
func (s *Service) ListAgents(context.Context, *agentv1.ListAgentsRequest) (*agentv1.ListAgentsResponse, error) {
	states, _ := s.fleet.List(fleet.Filter{}, fleet.Page{Limit: 1 << 30})
	response := &agentv1.ListAgentsResponse{SystemVersion: s.version, Agents: make([]*agentv1.AgentInfo, len(states))}
	for i := range states {
		response.Agents[i] = s.info(&states[i])
	}
	return response, nil
}

// GetAgent returns one agent.
func (s *Service) GetAgent(_ context.Context, request *agentv1.GetAgentRequest) (*agentv1.AgentInfo, error) {
	state, ok := s.fleet.Get(agentid.Canonical(request.AgentId))
	if !ok {
		return nil, status.Errorf(codes.NotFound, "there is no agent %q", request.AgentId)
	}
	return s.info(&state), nil
}

// RemoveAgent forgets an agent. It needs a caller who proved who they are. A revoked agent is not removed here: it may still hold the
// key that all agents share, and would come back as if nothing had been decided.
func (s *Service) RemoveAgent(ctx context.Context, request *agentv1.RemoveAgentRequest) (*agentv1.RemoveAgentResponse, error) {
	who, known := caller(ctx)
	if s.control == "off" || s.control == "auth" && !known {
		return nil, status.Error(codes.PermissionDenied, "removing agents needs an authenticated caller, see `control` of the agent_registry extension")
	}
	id := agentid.Canonical(request.AgentId)
	state, known := s.fleet.Get(id)
	if !known {
		return &agentv1.RemoveAgentResponse{Success: false}, nil
	}
	if state.Approval == store.Revoked {
		return nil, status.Errorf(codes.FailedPrecondition, "agent %q is revoked: an operator may remove it, with DELETE /api/v1/agents/{id}", id)
	}
	err := s.fleet.Remove(ctx, id, who)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &agentv1.RemoveAgentResponse{Success: false}, nil
	case errors.Is(err, store.ErrUnavailable):
		return nil, status.Error(codes.Unavailable, "the registry's database is not available")
	case err != nil:
		return nil, status.Error(codes.Internal, "the agent could not be removed")
	}
	return &agentv1.RemoveAgentResponse{Success: true}, nil
}

// caller is who the receiver, an authenticator or a verified client certificate says the caller is.
func caller(ctx context.Context) (name string, known bool) {
	if p, ok := agentsession.PeerFromContext(ctx); ok && p.AgentID != "" && p.Authentication == agentsession.AuthenticationPSK {
		return p.AgentID, true
	}
	if auth := client.FromContext(ctx).Auth; auth != nil {
		if subject, ok := auth.GetAttribute("subject").(string); ok && subject != "" {
			return subject, true
		}
		return "authenticated", true
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "unknown", false
	}
	if tls, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(tls.State.VerifiedChains) > 0 {
		return tls.State.PeerCertificates[0].Subject.CommonName, true
	}
	return "anonymous at " + p.Addr.String(), false
}

func (s *Service) info(state *fleet.State) *agentv1.AgentInfo {
	facts := &state.Facts
	info := &agentv1.AgentInfo{
		AgentId: state.ID, Hostname: facts.Hostname, Version: facts.NginxVersion, Status: "offline",
		InstancesCount: int32(len(facts.Instances)), //nolint:gosec // bounded when taken in
		Ip:             state.Host(), AgentVersion: facts.AgentVersion, IsPod: facts.IsPod, PodIp: facts.PodIP,
		BuildDate: facts.BuildDate, GitCommit: facts.GitCommit, GitBranch: facts.GitBranch,
		PskAuthenticated: state.Live.Authentication == "psk", Labels: facts.Labels,
	}
	if state.Online {
		info.Status = "online"
	}
	if !state.Live.LastSeen.IsZero() {
		info.LastSeen = state.Live.LastSeen.Unix()
	}
	if facts.StartedAt > 0 && state.Online {
		info.Uptime = strconv.FormatFloat(max(s.fleet.Now().Sub(time.Unix(facts.StartedAt, 0)).Seconds(), 0), 'f', 0, 64) + "s"
	}
	if net.ParseIP(info.Ip) == nil {
		info.Ip = facts.PodIP
	}
	return info
}
