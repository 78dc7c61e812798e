// Package agentsession is the seam between receivers that hold agents' streams and the registry that knows the fleet.
//
// A receiver finds the registry among the host's extensions and asserts it to [Registry]. It opens one
// [Session] per stream, reports what the agent says of itself, sends the commands the session hands out, and closes
// the session when the stream ends. No call blocks on a database: the registry keeps what it cannot write yet.
package agentsession

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Open fails with one of these, possibly wrapped, when the agent must not send.
var (
	ErrRevoked          = errors.New("agent is revoked")
	ErrApprovalRequired = errors.New("agent is waiting for approval")
	ErrTooManyAgents    = errors.New("agent is new, and there are max_agents already")
)

// ErrRemoved ends a session whose agent an operator deleted.
var ErrRemoved = errors.New("agent was removed")

// Registry is implemented by the agent_registry extension.
type Registry interface {
	// Open admits the agent of a stream. The newest session of an agent wins: an older one that is
	// still open can neither report nor end it any more.
	Open(ctx context.Context, peer Peer) (Session, error)

	// RegisterServices adds the registry's own gRPC services to the server that agents dial.
	RegisterServices(server grpc.ServiceRegistrar)
}

// Peer is what a receiver knows of an agent when its first message has arrived.
type Peer struct {
	// AgentID is in canonical form, see internal/agentid.
	AgentID string
	// Hostname is the authenticated one; empty without authentication.
	Hostname string
	// Address is the remote host:port of the stream.
	Address string
	// Authentication says how the agent proved its identity.
	Authentication Authentication
}

// Authentication is how an agent proved its identity.
type Authentication string

const (
	AuthenticationNone Authentication = "none"
	AuthenticationPSK  Authentication = "psk"
	AuthenticationMTLS Authentication = "mtls"
	// AuthenticationExtension is a collector auth extension, such as a bearer token.
	AuthenticationExtension Authentication = "extension"
)

// Session is one stream of one agent. Its methods may be called from several goroutines.
//
// The queued argument is the time at which the agent queued the message (AgentMessage.timestamp), which may be long
// past when an agent replays its buffer: it orders facts. Liveness is counted from the call itself.
type Session interface {
	// Heartbeat reports liveness and the agent's facts. The session keeps the message.
	Heartbeat(queued time.Time, message *agentv1.Heartbeat)
	// Unchanged reports liveness in place of a heartbeat that says the same as the newest one before it, but for the uptime, in
	// seconds. It reports false, and has no effect, when the session needs the whole message.
	Unchanged(queued time.Time, uptime float64) bool
	// Metrics reports how many requests NGINX has served, as a sample says, for the agent's rate.
	Metrics(queued time.Time, totalRequests int64)
	// State reports the agent's configuration hashes. The session keeps the message.
	State(queued time.Time, message *agentv1.StateSnapshot)
	// CommandResult reports what became of a command.
	CommandResult(message *agentv1.CommandResult)

	// Commands delivers what to send to the agent. It is closed when the session is over.
	Commands() <-chan *agentv1.ServerCommand
	// Due reports whether a command that Commands has delivered is still to be sent. One that has expired since is not, and the session
	// takes note of that.
	Due(commandID string) bool
	// CommandSent reports that the command was written to the stream, or why it could not be.
	CommandSent(commandID string, err error)

	// Tailing reports whether somebody follows the agent's log. It is cheap enough to be asked for each entry.
	Tailing() bool
	// TakeLog offers a log entry while Tailing. It reports true when the entry answers a log request only; such an
	// entry must not be stored, because the same line arrives in the normal flow too.
	TakeLog(entry *agentv1.LogEntry) bool

	// Done is closed when the registry wants the stream closed; Err then says why.
	Done() <-chan struct{}
	// Err is nil until Done is closed.
	Err() error

	// Close ends the session. It may be called twice.
	Close()
}

type peerKey struct{}

// ContextWithPeer lets the registry's gRPC services know who calls them. A receiver that authenticates its callers by
// anything but a collector auth extension puts them into the context of unary calls, too.
func ContextWithPeer(ctx context.Context, peer Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, peer)
}

// PeerFromContext returns the caller, if a receiver said who it is.
func PeerFromContext(ctx context.Context) (Peer, bool) {
	peer, ok := ctx.Value(peerKey{}).(Peer)
	return peer, ok
}
