// Package store is what the registry keeps, and the interface of the backends that keep it.
//
// All times are the store's own clock. What a gateway measures it hands over as an age, so that a wrong clock of a gateway
// changes nothing.
package store

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound says that there is no such agent, command or baseline.
	ErrNotFound = errors.New("not found")
	// ErrLeaseLost says that a gateway's lease ran out: its sessions count no more, and it has to join again.
	ErrLeaseLost = errors.New("lease of this gateway ran out")
	// ErrUnavailable says that the backend cannot be reached or refuses to write.
	ErrUnavailable = errors.New("registry database is not available")
)

// Store is implemented by every backend and proved by package storetest. Methods may be called from several goroutines.
// An error that wraps ErrUnavailable is worth a retry.
type Store interface {
	// Join registers one run of a gateway, starts its lease and returns its incarnation, a number never used before.
	Join(ctx context.Context, gateway Gateway, lease time.Duration) (int64, error)
	// Leave ends a run: its open sessions are closed, as nobody holds them any more.
	Leave(ctx context.Context, incarnation int64) error
	// Sync renews the lease when asked to and returns what changed since the cursor. It fails with ErrLeaseLost when the
	// lease to renew has run out; a lapsed lease is never revived.
	Sync(ctx context.Context, request SyncRequest) (Changes, error)
	// Activities returns last seen and rates of all agents.
	Activities(ctx context.Context) ([]Activity, error)

	// OpenSessions enrols unknown agents and opens the sessions that may be opened. A result belongs to the
	// opening at the same index. No agent may occur twice. It fails with ErrLeaseLost without a live lease.
	OpenSessions(ctx context.Context, incarnation int64, openings []Opening) ([]Opened, error)
	// CloseSessions ends sessions. One that is not the agent's newest is ignored.
	CloseSessions(ctx context.Context, closings []Closing) error
	// Flush records that agents were seen. A session that is not the agent's newest is ignored.
	Flush(ctx context.Context, activities []Seen) error
	// SaveFacts keeps what agents say of themselves, unless something newer is known or the session is not the newest.
	SaveFacts(ctx context.Context, updates []FactsUpdate) error
	// SaveConfigs does the same for configuration hashes.
	SaveConfigs(ctx context.Context, updates []ConfigUpdate) error
	// Configs returns the configuration hashes of these agents, without those that never sent any.
	Configs(ctx context.Context, agentIDs []string) (map[string]Config, error)

	// Decide approves or revokes an agent.
	Decide(ctx context.Context, agentID string, decision Decision) (Agent, error)
	// Remove forgets an agent. Its history stays.
	Remove(ctx context.Context, agentID, by string) error
	// History returns events older than the event `before` (0: from the newest), newest first, of one agent or of all ("").
	History(ctx context.Context, agentID string, limit int, before int64) ([]Event, error)

	// CreateCommand keeps a command for its agent. With an idempotency key that the agent's commands already have it
	// returns the existing command and false.
	CreateCommand(ctx context.Context, command Command) (Command, bool, error)
	// Claim returns pending commands of agents whose session this incarnation holds, each to one caller only.
	Claim(ctx context.Context, incarnation int64) ([]Command, error)
	// UpdateCommands moves commands on. An impossible move (see Transition) is ignored.
	UpdateCommands(ctx context.Context, updates []CommandUpdate) error
	// ConfirmUpdates marks updates of the agent as succeeded that asked for this version, or for the latest: those that were
	// sent, and those claimed to be sent, as the agent may be back before that is written.
	ConfirmUpdates(ctx context.Context, agentID, version string) error
	Commands(ctx context.Context, agentID string, limit int) ([]Command, error)
	Command(ctx context.Context, id string) (Command, error)

	PutBaseline(ctx context.Context, baseline Baseline) (Baseline, error)
	DeleteBaseline(ctx context.Context, name, by string) error
	// Baseline returns a baseline with its files.
	Baseline(ctx context.Context, name string) (Baseline, error)

	// Sweep closes sessions of lost gateways, ends commands whose time is over and removes what is past its retention.
	// When another gateway is sweeping it does nothing.
	Sweep(ctx context.Context, policy SweepPolicy) error
	// Listen calls notify for every notification until the context ends or the connection breaks. Notifications are hints:
	// any may be lost. A backend that has none returns when the context ends.
	Listen(ctx context.Context, notify func(Notification)) error
	// Close releases the backend. It may be called twice.
	Close(ctx context.Context) error
}

// Cursor is a place in the store's changes. The zero cursor is before everything.
type Cursor int64

// SyncRequest asks for changes.
type SyncRequest struct {
	Incarnation int64
	// Lease renews the lease for this long; 0 leaves it alone.
	Lease  time.Duration
	Load   Load
	Cursor Cursor
}

// Changes is what happened since a cursor. A change may be told twice, and is never left out.
type Changes struct {
	Cursor Cursor
	// Now is the store's clock.
	Now time.Time
	// Full says that Agents and Liveness are all there is.
	Full     bool
	Gateways []Gateway
	// Agents and Liveness hold the present state of what changed.
	Agents   []Agent
	Liveness []Liveness
	Removed  []string
	// Baselines are all baselines, without files.
	Baselines []Baseline
	Commands  []Command
	// Claimable says that commands wait for agents of this incarnation.
	Claimable bool
}

// Notification is a hint that something changed.
type Notification struct {
	// Incarnation is the gateway that has a command to claim; 0 for any other change.
	Incarnation int64
}

// SweepPolicy says what is over.
type SweepPolicy struct {
	// Agents that are offline this long are removed; 0 keeps them.
	AgentRetention time.Duration
	// History and finished commands older than this are removed.
	HistoryRetention time.Duration
	// HistoryPerAgent bounds the events of one agent.
	HistoryPerAgent int
	// Confirm is how long a sent command waits for a result before it is unconfirmed, ConfirmUpdate the same for updates.
	Confirm       time.Duration
	ConfirmUpdate time.Duration
}
