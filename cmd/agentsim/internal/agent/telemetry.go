package agent

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/host"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// message encodes a payload that is ours, not a client's.
func (a *agent) message(now time.Time, k kind, field protowire.Number, m proto.Message) (message, bool) {
	encoded, err := wireform.AppendPayload(nil, a.cfg.AgentID, now.Unix(), field, m)
	if err != nil {
		a.cfg.Log.Error("encode message", "error", err)
		return message{}, false
	}
	return message{encoded: encoded, kind: k}, true
}

func (a *agent) beat(_ context.Context, now time.Time) {
	if m, ok := a.message(now, kindHeartbeat, wireform.FieldHeartbeat, a.heartbeat(now, false)); ok {
		a.buffer.tryPut(m)
	}
}

// heartbeat is the full one; the bootstrap one has no labels and knows no NGINX.
func (a *agent) heartbeat(now time.Time, bootstrap bool) *agentv1.Heartbeat {
	_, pod := os.LookupEnv("KUBERNETES_SERVICE_HOST")
	mgmt := a.address + ":5025"
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &agentv1.Heartbeat{
		Hostname: a.cfg.Hostname, Version: "unknown", Uptime: now.Sub(a.started).Seconds(), IsPod: pod, PodIp: a.address,
		AgentVersion: a.self, BuildDate: "2026-03-02T10:00:00Z", GitCommit: "5f0c1de", GitBranch: "main",
		MgmtAddress: mgmt, MgmtAddressCandidates: []string{mgmt},
	}
	if bootstrap {
		return h
	}
	h.Labels = a.cfg.Labels
	if a.version != "" {
		h.Version = a.version
	}
	status := "STOPPED"
	if a.up {
		status = "RUNNING"
	}
	h.Instances = []*agentv1.NginxInstance{{Pid: a.pid, Version: h.Version, ConfPath: a.confPath(), Status: status}}
	return h
}

func (a *agent) confPath() string {
	if a.cfg.NginxConf == "" {
		return "/etc/nginx/nginx.conf"
	}
	return filepath.Join(a.cfg.NginxConf, "nginx.conf")
}

// learnNginx asks NGINX for its connections and version, and keeps whether it answered. While it does not, its counters
// stay where they were: zeros would look like a restart. False: ctx ended meanwhile, and nothing was learned.
func (a *agent) learnNginx(ctx context.Context) (host.Connections, bool) {
	c, version, err := a.connections(ctx)
	if ctx.Err() != nil {
		return c, false
	}
	if version == "" {
		version = a.knownVersion(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		if a.up {
			a.cfg.Log.Warn("NGINX does not answer", "error", err)
		}
		c = host.Connections{Accepted: a.last.Accepted, Handled: a.last.Handled, Requests: a.last.Requests}
	}
	a.nowUp(err == nil)
	a.version, a.last = version, c
	return c, true
}

// nowUp looks for NGINX's process when it has come up. It needs the lock.
func (a *agent) nowUp(up bool) {
	if a.pid == "" || up && !a.up {
		a.pid = host.MasterPID()
	}
	a.up = up
	if a.cfg.StubStatus == "" {
		a.up = a.pid != ""
	}
}

func (a *agent) connections(ctx context.Context) (host.Connections, string, error) {
	if a.cfg.StubStatus == "" {
		return host.Connections{}, "", nil
	}
	return a.nginx.Status(ctx)
}

// knownVersion is what was found before, or else that of the nginx on PATH.
func (a *agent) knownVersion(ctx context.Context) string {
	a.mu.Lock()
	version := a.version
	a.mu.Unlock()
	if version == "" {
		version = host.BinaryVersion(ctx)
	}
	return version
}

// sampler returns what takes one NginxMetrics.
func (a *agent) sampler() func(context.Context, time.Time) {
	var system host.System
	return func(ctx context.Context, now time.Time) {
		connections, ok := a.learnNginx(ctx)
		if !ok {
			return
		}
		s, err := system.Sample(ctx, now)
		if err != nil {
			a.cfg.Log.Warn("measure the machine", "error", err)
		}
		if m, ok := a.message(now, kindMetrics, wireform.FieldMetrics, a.sample(connections, s, now)); ok {
			a.buffer.tryPut(m)
		}
	}
}

func (a *agent) sample(c host.Connections, s *agentv1.SystemMetrics, now time.Time) *agentv1.NginxMetrics {
	m := &agentv1.NginxMetrics{
		ActiveConnections: c.Active, AcceptedConnections: c.Accepted, HandledConnections: c.Handled,
		TotalRequests: c.Requests, Reading: c.Reading, Writing: c.Writing, Waiting: c.Waiting,
		RequestsPerSecond: float64(c.Requests) / max(now.Sub(a.started).Seconds(), 1), System: s, Labels: a.cfg.Labels,
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.traffic.Fill(m)
	return m
}

func (a *agent) snapshot(_ context.Context, now time.Time) {
	if a.cfg.NginxConf == "" {
		return
	}
	s, err := host.ConfigState(a.cfg.NginxConf, now)
	if err != nil {
		a.cfg.Log.Warn("read the NGINX configuration", "error", err)
		return
	}
	if m, ok := a.message(now, kindState, wireform.FieldState, s); ok {
		a.buffer.tryPut(m)
	}
}
