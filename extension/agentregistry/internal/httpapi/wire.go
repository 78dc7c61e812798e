package httpapi

import (
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

type health struct {
	Status   string    `json:"status"`
	Database *database `json:"database,omitempty"`
}

type database struct {
	Backend string    `json:"backend"`
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Error   string    `json:"error,omitempty"`
}

type counts struct {
	Total   int `json:"total"`
	Online  int `json:"online"`
	Offline int `json:"offline"`
	Pending int `json:"pending"`
	Revoked int `json:"revoked"`
	Drifted int `json:"drifted"`
}

type control struct {
	Enabled bool   `json:"enabled"`
	Reason  string `json:"reason"`
}

type statusBody struct {
	GatewayID    string    `json:"gateway_id"`
	Version      string    `json:"version"`
	Commit       string    `json:"commit"`
	BuildDate    string    `json:"build_date"`
	StartedAt    time.Time `json:"started_at"`
	Now          time.Time `json:"now"`
	Database     database  `json:"database"`
	Counts       counts    `json:"counts"`
	Control      control   `json:"control"`
	Enrolment    string    `json:"enrolment"`
	RateInterval float64   `json:"rate_interval_seconds"`
}

type agentSummary struct {
	ID                 string            `json:"id"`
	Hostname           string            `json:"hostname"`
	Address            string            `json:"address"`
	Status             string            `json:"status"`
	Since              time.Time         `json:"since"`
	LastSeen           *time.Time        `json:"last_seen"`
	Gateway            string            `json:"gateway"`
	NginxVersion       string            `json:"nginx_version"`
	AgentVersion       string            `json:"agent_version"`
	Labels             map[string]string `json:"labels"`
	IsPod              bool              `json:"is_pod"`
	Authentication     string            `json:"authentication"`
	Approval           string            `json:"approval"`
	Drift              string            `json:"drift"`
	ConfigHash         string            `json:"config_hash"`
	CertificateExpires *time.Time        `json:"certificate_expires"`
	Rate               *float32          `json:"rate"`
	Rates              []float32         `json:"rates"`
}

// compactColumns are the members of agentSummary, in its order.
var compactColumns = []string{
	"id", "hostname", "address", "status", "since", "last_seen", "gateway", "nginx_version", "agent_version", "labels",
	"is_pod", "authentication", "approval", "drift", "config_hash", "certificate_expires", "rate", "rates",
}

func (s *agentSummary) row() []any {
	return []any{
		s.ID, s.Hostname, s.Address, s.Status, s.Since, s.LastSeen, s.Gateway, s.NginxVersion, s.AgentVersion, s.Labels,
		s.IsPod, s.Authentication, s.Approval, s.Drift, s.ConfigHash, s.CertificateExpires, s.Rate, s.Rates,
	}
}

type agentList struct {
	Agents []agentSummary `json:"agents"`
	listing
}

type compactAgentList struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
	listing
}

type listing struct {
	Total    int      `json:"total"`
	Limit    int      `json:"limit"`
	Offset   int      `json:"offset"`
	Counts   counts   `json:"counts"`
	Database database `json:"database"`
}

type agentBody struct {
	agentSummary
	PodIP           string        `json:"pod_ip"`
	MgmtAddress     string        `json:"mgmt_address"`
	MgmtCandidates  []string      `json:"mgmt_address_candidates"`
	BuildDate       string        `json:"build_date"`
	GitCommit       string        `json:"git_commit"`
	GitBranch       string        `json:"git_branch"`
	Instances       []instance    `json:"instances"`
	AgentStartedAt  *time.Time    `json:"agent_started_at"`
	FirstSeen       time.Time     `json:"first_seen"`
	Session         *sessionBody  `json:"session"`
	Decision        *decisionBody `json:"decision"`
	Baseline        *string       `json:"baseline"`
	Differences     []difference  `json:"differences"`
	Config          *configBody   `json:"config"`
	Commands        []commandBody `json:"commands"`
	LabelsTruncated bool          `json:"labels_truncated"`
}

type instance = store.Instance

type sessionBody struct {
	Number   int64     `json:"number"`
	Gateway  string    `json:"gateway"`
	Address  string    `json:"address"`
	OpenedAt time.Time `json:"opened_at"`
}

type decisionBody struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

type configBody struct {
	ConfigHash   string            `json:"config_hash"`
	ComputedAt   *time.Time        `json:"computed_at"`
	Files        []configFile      `json:"files"`
	Certificates []certificateBody `json:"certificates"`
}

type configFile struct {
	Kind       string     `json:"kind"`
	Path       string     `json:"path"`
	Hash       string     `json:"hash"`
	Size       int64      `json:"size"`
	ModifiedAt *time.Time `json:"modified_at"`
}

type certificateBody struct {
	Domain    string     `json:"domain"`
	Path      string     `json:"path"`
	Hash      string     `json:"hash"`
	Issuer    string     `json:"issuer"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func statusOf(online bool) string {
	if online {
		return "online"
	}
	return "offline"
}

// moment is nil for no time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// unixMoment is nil for zero and for times that JSON cannot hold.
func unixMoment(seconds int64) *time.Time {
	if seconds <= 0 || seconds > 253402300799 {
		return nil
	}
	return moment(time.Unix(seconds, 0))
}

// some is never nil, so that JSON has an empty list instead of null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func summarize(s *fleet.State) agentSummary {
	out := agentSummary{
		ID: s.ID, Hostname: s.Facts.Hostname, Address: s.Host(), Status: statusOf(s.Online), Since: s.Since.UTC(),
		LastSeen: moment(s.Live.LastSeen), Gateway: s.Live.GatewayID, NginxVersion: s.Facts.NginxVersion, AgentVersion: s.Facts.AgentVersion,
		Labels: s.Facts.Labels, IsPod: s.Facts.IsPod, Authentication: s.Live.Authentication, Approval: string(s.Approval), Drift: s.Drift,
		ConfigHash: s.Agent.Config.Hash, CertificateExpires: unixMoment(s.Agent.Config.CertificateExpires), Rates: some(s.Rates),
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	if out.Authentication == "" {
		out.Authentication = "none"
	}
	if rate, ok := s.Rate(); ok {
		out.Rate = &rate
	}
	return out
}

func summaries(states []fleet.State) []agentSummary {
	out := make([]agentSummary, len(states))
	for i := range states {
		out[i] = summarize(&states[i])
	}
	return out
}

func configOf(c *store.Config) *configBody {
	out := &configBody{ConfigHash: c.Hash, ComputedAt: unixMoment(c.ComputedAt), Files: []configFile{}, Certificates: []certificateBody{}}
	for _, f := range c.Files {
		out.Files = append(out.Files, configFile{f.Kind, f.Path, f.Hash, f.Size, unixMoment(f.ModifiedAt)})
	}
	for _, x := range c.Certificates {
		out.Certificates = append(out.Certificates, certificateBody{x.Domain, x.Path, x.Hash, x.Issuer, unixMoment(x.Expires)})
	}
	return out
}
