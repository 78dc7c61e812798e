package store

import "time"

// Approval says whether an agent may send.
type Approval string

const (
	Approved Approval = "approved"
	Pending  Approval = "pending"
	Revoked  Approval = "revoked"
)

// Agent is what is known of an agent whether or not it is connected.
type Agent struct {
	ID        string    `json:"id"`
	FirstSeen time.Time `json:"first_seen"`
	Approval  Approval  `json:"approval"`
	// Decision is nil for an agent that enrolled by itself.
	Decision *Decision `json:"decision,omitempty"`
	Facts    Facts     `json:"facts"`
	// FactsAt and ConfigAt are times of the agent's clock, and order what it says.
	FactsAt  time.Time     `json:"facts_at"`
	Config   ConfigSummary `json:"config"`
	ConfigAt time.Time     `json:"config_at"`
}

// Decision is an approval or a revocation by somebody.
type Decision struct {
	Approval Approval  `json:"approval"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
}

// Facts are what an agent says of itself. All text is valid UTF-8 without NUL and bounded in length.
type Facts struct {
	Hostname        string            `json:"hostname,omitempty"`
	NginxVersion    string            `json:"nginx_version,omitempty"`
	AgentVersion    string            `json:"agent_version,omitempty"`
	BuildDate       string            `json:"build_date,omitempty"`
	GitCommit       string            `json:"git_commit,omitempty"`
	GitBranch       string            `json:"git_branch,omitempty"`
	IsPod           bool              `json:"is_pod,omitempty"`
	PodIP           string            `json:"pod_ip,omitempty"`
	MgmtAddress     string            `json:"mgmt_address,omitempty"`
	MgmtCandidates  []string          `json:"mgmt_candidates,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	LabelsTruncated bool              `json:"labels_truncated,omitempty"`
	Instances       []Instance        `json:"instances,omitempty"`
	// StartedAt is when the agent process started, by the agent's clock, in unix seconds; 0 when unknown.
	StartedAt int64 `json:"started_at,omitempty"`
}

// Instance is one NGINX of an agent.
type Instance struct {
	PID      string `json:"pid"`
	Version  string `json:"version"`
	ConfPath string `json:"conf_path"`
	Status   string `json:"status"`
}

// ConfigSummary is the part of an agent's configuration hashes that every gateway keeps in memory.
type ConfigSummary struct {
	Hash string `json:"hash,omitempty"`
	// Digest is equal for equal files with equal hashes; empty when the agent sent none.
	Digest string `json:"digest,omitempty"`
	// CertificateExpires is the earliest expiry in unix seconds; 0 without certificates.
	CertificateExpires int64 `json:"certificate_expires,omitempty"`
}

// Config is an agent's configuration as hashes.
type Config struct {
	Hash string `json:"hash"`
	// ComputedAt is in unix seconds; 0 when unknown. So are the times below.
	ComputedAt   int64         `json:"computed_at,omitempty"`
	Files        []File        `json:"files,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
}

// File is one configuration file.
type File struct {
	// Kind is main, site, include or maintenance.
	Kind       string `json:"kind"`
	Path       string `json:"path"`
	Hash       string `json:"hash"`
	Size       int64  `json:"size,omitempty"`
	ModifiedAt int64  `json:"modified_at,omitempty"`
}

// Certificate is one certificate that NGINX uses.
type Certificate struct {
	Domain  string `json:"domain"`
	Path    string `json:"path"`
	Hash    string `json:"hash"`
	Issuer  string `json:"issuer,omitempty"`
	Expires int64  `json:"expires,omitempty"`
}

// Liveness is an agent's newest session.
type Liveness struct {
	AgentID string `json:"agent_id"`
	// Session is the fence: every write of a session carries it.
	Session     int64  `json:"session"`
	Incarnation int64  `json:"incarnation"`
	GatewayID   string `json:"gateway_id"`
	// Address is the remote host:port of the stream.
	Address        string    `json:"address"`
	Authentication string    `json:"authentication"`
	OpenedAt       time.Time `json:"opened_at"`
	// ClosedAt is zero while the session is open. An open session counts only while its gateway's lease is alive.
	ClosedAt time.Time `json:"closed_at"`
	LastSeen time.Time `json:"last_seen"`
	Rates    []float32 `json:"rates,omitempty"`
}

// Gateway is one run of a gateway.
type Gateway struct {
	ID          string
	Incarnation int64
	// Address is where other gateways reach its HTTP server, scheme included.
	Address   string
	Version   string
	StartedAt time.Time
	// LeaseLeft is what is left of its lease; 0 or less when it ran out.
	LeaseLeft time.Duration
	Load      Load
}

// Load is how busy a gateway is.
type Load struct {
	Agents            int     `json:"agents"`
	MessagesPerSecond float64 `json:"messages_per_second"`
	Goroutines        int     `json:"goroutines"`
	MemoryBytes       int64   `json:"memory_bytes"`
}

// Opening asks for a session.
type Opening struct {
	AgentID        string
	Hostname       string
	GatewayID      string
	Address        string
	Authentication string
	// Age is how long ago the stream opened.
	Age time.Duration
	// Approval is given to an agent that is not known yet.
	Approval Approval
}

// Opened answers an opening.
type Opened struct {
	Approval Approval
	// Session is 0 when none was opened: the agent is not approved, or a newer session is open elsewhere.
	Session int64
}

// Closing ends a session.
type Closing struct {
	AgentID string
	Session int64
	// Age is how long ago the stream ended, SeenAge how long ago the agent was last heard.
	Age     time.Duration
	SeenAge time.Duration
	Reason  string
}

// Seen reports life and rates of an agent.
type Seen struct {
	AgentID string
	Session int64
	Age     time.Duration
	// Rates are requests per second, oldest first.
	Rates []float32
}

// Activity is the part of Liveness that changes all the time.
type Activity struct {
	AgentID  string
	Session  int64
	LastSeen time.Time
	Rates    []float32
}

// FactsUpdate replaces an agent's facts.
type FactsUpdate struct {
	AgentID string
	Session int64
	// At is the agent's clock.
	At    time.Time
	Facts Facts
	// Change is a line for the history; empty writes none.
	Change string
}

// ConfigUpdate replaces an agent's configuration hashes.
type ConfigUpdate struct {
	AgentID string
	Session int64
	At      time.Time
	Config  Config
	Summary ConfigSummary
	Change  string
}

// FutureFacts is how far ahead of the store's clock the time of facts may lie and still keep later facts out. Beyond, the
// agent's clock was wrong, and what it says now counts.
const FutureFacts = time.Minute

// Newer says whether what is known is newer than what comes, unless its time cannot be true.
func Newer(known, comes, now time.Time) bool {
	return known.After(comes) && !known.After(now.Add(FutureFacts))
}

// Kinds of events.
const (
	EventEnrolled     = "enrolled"
	EventConnected    = "connected"
	EventDisconnected = "disconnected"
	EventGatewayLost  = "gateway_lost"
	EventFacts        = "facts"
	EventConfig       = "config"
	EventApproved     = "approved"
	EventRevoked      = "revoked"
	EventRemoved      = "removed"
	EventCommand      = "command"
)

// Event is a line of history.
type Event struct {
	ID        int64     `json:"id"`
	AgentID   string    `json:"agent_id"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	GatewayID string    `json:"gateway"`
	By        string    `json:"by"`
	Detail    string    `json:"detail"`
}

// Baseline is what agents should have.
type Baseline struct {
	Name string `json:"name"`
	// AgentID or, when it is empty, Labels say for whom.
	AgentID string            `json:"agent_id,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	// Reference is the agent whose present configuration counts; when empty, Files and Digest do.
	Reference string    `json:"reference,omitempty"`
	Files     []File    `json:"files,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}
