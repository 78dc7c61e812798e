package store

import (
	"strings"
	"time"
)

// CommandState is where a command is on its way.
type CommandState string

const (
	CommandPending     CommandState = "pending"
	CommandSent        CommandState = "sent"
	CommandSucceeded   CommandState = "succeeded"
	CommandFailed      CommandState = "failed"
	CommandExpired     CommandState = "expired"
	CommandUnconfirmed CommandState = "unconfirmed"
)

// Types of commands.
const (
	TypeReload     = "reload"
	TypeRestart    = "restart"
	TypeUpdate     = "update"
	TypeConfigPush = "config_push"
	TypeLogRequest = "log_request"
)

// Command asks an agent for something.
type Command struct {
	ID             string        `json:"id"`
	AgentID        string        `json:"agent_id"`
	Type           string        `json:"type"`
	Parameters     Parameters    `json:"parameters"`
	State          CommandState  `json:"state"`
	IdempotencyKey string        `json:"idempotency_key,omitempty"`
	RequestedBy    string        `json:"requested_by"`
	RequestedAt    time.Time     `json:"requested_at"`
	ExpiresAt      time.Time     `json:"expires_at"`
	ExpiresIn      time.Duration `json:"-"` // set for CreateCommand, which computes ExpiresAt
	// Claimed is the session that took it to send it; 0 before.
	Claimed    int64     `json:"claimed,omitempty"`
	SentAt     time.Time `json:"sent_at"`
	FinishedAt time.Time `json:"finished_at"`
	GatewayID  string    `json:"gateway"`
	Result     string    `json:"result"`
}

// Parameters say what is asked, by type.
type Parameters struct {
	Version   string            `json:"version,omitempty"`
	URL       string            `json:"url,omitempty"`
	VersionID string            `json:"version_id,omitempty"`
	Files     map[string][]byte `json:"files,omitempty"`
	LogType   string            `json:"log_type,omitempty"`
	TailLines int32             `json:"tail_lines,omitempty"`
	Follow    bool              `json:"follow,omitempty"`
}

// CommandUpdate moves a command on.
type CommandUpdate struct {
	ID string
	// Agent guards the move: only this agent's session may report on its command.
	AgentID string
	// State is the next state. CommandPending gives a claimed command back that never reached the stream.
	State CommandState
	// Claimed guards the move too, unless it is 0: the session that claimed the command must still have it. A give-back that is written twice,
	// because the first answer was lost, does not take the command from the next session.
	Claimed int64
	Result  string
}

// Reasons for commands without a result.
const (
	ReasonNoResult    = "the agent sent no result; agents up to 1.110 send none for this type"
	ReasonNoVersion   = "the agent did not come back with another version"
	ReasonGatewayLost = "the gateway was lost while it was sending the command; it may have reached the agent"
	ReasonNotTaken    = "the agent is connected and did not take the command in time; it may still do so"
	ReasonExpired     = "the agent did not connect in time"
	ReasonNotRead     = "the agent was connected and did not read its commands in time; it was not sent"
	ReasonNewVersion  = "the agent runs the version"
)

// Transition says whether a command may move from one state to another. A late result corrects an unconfirmed command, and so does
// the gateway that knows that it did not send it.
func Transition(from, to CommandState) bool {
	switch to {
	case CommandPending, CommandSent:
		return from == CommandPending
	case CommandExpired:
		return from == CommandPending || from == CommandUnconfirmed
	case CommandUnconfirmed:
		return from == CommandPending || from == CommandSent
	case CommandSucceeded, CommandFailed:
		return from == CommandPending || from == CommandSent || from == CommandUnconfirmed
	}
	return false
}

// Finished says whether the state is one that sets FinishedAt.
func (s CommandState) Finished() bool { return s != CommandPending && s != CommandSent }

// SameVersion says whether a wanted version is the one that came.
func SameVersion(wanted, version string) bool {
	return wanted == "latest" || strings.TrimPrefix(wanted, "v") == strings.TrimPrefix(version, "v")
}
