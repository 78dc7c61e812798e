package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Bounds of what is kept of an agent's words, in bytes and entries. An agent may send anything.
const (
	maxText         = 512
	maxLabels       = 64
	maxLabelKey     = 128
	maxLabelValue   = 1024
	maxInstances    = 64
	maxCandidates   = 16
	maxFiles        = 4096
	maxPath         = 1024
	maxCertificates = 512
)

// unknownVersion is what the first heartbeat after connecting says of NGINX.
const unknownVersion = "unknown"

// startTolerance is how far two computed starts of one process may lie apart.
const startTolerance = 10 // seconds

// storable moves a time that no store can keep to the nearest one that all can: JSON ends with the year 9999.
func storable(queued time.Time) time.Time {
	switch {
	case queued.Before(time.Unix(0, 0)):
		return time.Unix(0, 0)
	case queued.After(lastStorable):
		return lastStorable
	}
	return queued
}

var lastStorable = time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)

// Heartbeat implements agentsession.Session.
func (s *session) Heartbeat(queued time.Time, h *agentv1.Heartbeat) {
	queued = storable(queued)
	changed, lost := s.takeHeartbeat(queued, h)
	if lost {
		s.fleet.revive(s)
	}
	if changed {
		s.fleet.factsChanged(s, queued, h)
	}
}

// takeHeartbeat reports whether the facts may have changed, and whether the session lost its voice.
func (s *session) takeHeartbeat(queued time.Time, h *agentv1.Heartbeat) (changed, lost bool) {
	s.fleet.messages.Add(1)
	now := s.fleet.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, false
	}
	s.seen, s.spoke = time.Now(), queued
	if s.superseded || store.Newer(s.heartbeats, queued, now) {
		return false, s.superseded
	}
	s.heartbeats = queued
	if !s.greeted && bootstrap(h) {
		s.greeted = true
		return true, false
	}
	s.greeted = true
	if s.heartbeat != nil && sameHeartbeat(s.heartbeat, h) {
		return false, false
	}
	s.heartbeat = h
	return true, false
}

// Unchanged implements agentsession.Session.
func (s *session) Unchanged(queued time.Time, uptime float64) bool {
	queued = storable(queued)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return true
	case s.superseded, s.heartbeat == nil, uptime < s.heartbeat.Uptime:
		return false
	}
	s.fleet.messages.Add(1)
	s.seen, s.spoke = time.Now(), queued
	if queued.After(s.heartbeats) {
		s.heartbeats = queued
	}
	return true
}

// bootstrap recognizes the first heartbeat after connecting, which knows less than the ones before.
func bootstrap(h *agentv1.Heartbeat) bool {
	return (h.Version == unknownVersion || h.Version == "") && len(h.Labels) == 0
}

// factsChanged takes a heartbeat over as facts, unless something newer is known.
func (f *Fleet) factsChanged(s *session, queued time.Time, h *agentv1.Heartbeat) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[s.peer.AgentID]
	if !ok || e.local != s || f.newer(e.agent.FactsAt, queued) {
		return
	}
	known, first := &e.agent.Facts, e.agent.FactsAt.IsZero()
	facts := factsOf(h, queued, known)
	change := describeChange(known, &facts)
	if !first && (change == "" || bootstrap(h) && s.fresh()) {
		return
	}
	s.keepFacts(&store.FactsUpdate{AgentID: e.agent.ID, At: queued, Facts: facts, Change: change})
	if known.AgentVersion != "" && known.AgentVersion != facts.AgentVersion {
		f.confirm[e.agent.ID] = facts.AgentVersion
	}
	e.agent.Facts, e.agent.FactsAt = facts, queued
	e.index()
	signal(f.wake.write)
	f.hub.agent(e.agent.ID)
}

// newer is store.Newer by the store's clock. The fleet's lock is held.
func (f *Fleet) newer(known, comes time.Time) bool { return store.Newer(known, comes, f.now()) }

// fresh says that the session had no full heartbeat yet.
func (s *session) fresh() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heartbeat == nil
}

func (s *session) keepFacts(update *store.FactsUpdate) {
	s.mu.Lock()
	s.facts = update
	s.mu.Unlock()
}

// sameHeartbeat compares what becomes facts, cheaply, as nearly all heartbeats are the same.
func sameHeartbeat(a, b *agentv1.Heartbeat) bool {
	restarted := b.Uptime < a.Uptime
	return !restarted && a.Hostname == b.Hostname && a.Version == b.Version && a.IsPod == b.IsPod && a.PodIp == b.PodIp &&
		a.AgentVersion == b.AgentVersion && a.BuildDate == b.BuildDate && a.GitCommit == b.GitCommit && a.GitBranch == b.GitBranch &&
		a.MgmtAddress == b.MgmtAddress && slices.Equal(a.MgmtAddressCandidates, b.MgmtAddressCandidates) &&
		maps.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Instances, b.Instances, sameInstance)
}

func sameInstance(a, b *agentv1.NginxInstance) bool {
	return a.GetPid() == b.GetPid() && a.GetVersion() == b.GetVersion() && a.GetConfPath() == b.GetConfPath() && a.GetStatus() == b.GetStatus()
}

func factsOf(h *agentv1.Heartbeat, queued time.Time, known *store.Facts) store.Facts {
	facts := store.Facts{
		Hostname: clean(h.Hostname, maxText), NginxVersion: clean(h.Version, maxText), AgentVersion: clean(h.AgentVersion, maxText),
		BuildDate: clean(h.BuildDate, maxText), GitCommit: clean(h.GitCommit, maxText), GitBranch: clean(h.GitBranch, maxText),
		IsPod: h.IsPod, PodIP: clean(h.PodIp, maxText), MgmtAddress: clean(h.MgmtAddress, maxText),
	}
	if facts.Hostname == "" {
		facts.Hostname = known.Hostname
	}
	if h.Uptime > 0 && h.Uptime < 1e10 {
		facts.StartedAt = queued.Unix() - int64(h.Uptime)
		if distance := facts.StartedAt - known.StartedAt; distance > -startTolerance && distance < startTolerance {
			facts.StartedAt = known.StartedAt
		}
	}
	for _, candidate := range h.MgmtAddressCandidates[:min(len(h.MgmtAddressCandidates), maxCandidates)] {
		facts.MgmtCandidates = append(facts.MgmtCandidates, clean(candidate, maxText))
	}
	for _, i := range h.Instances[:min(len(h.Instances), maxInstances)] {
		facts.Instances = append(facts.Instances, store.Instance{
			PID: clean(i.GetPid(), maxText), Version: clean(i.GetVersion(), maxText), ConfPath: clean(i.GetConfPath(), maxPath), Status: clean(i.GetStatus(), maxText),
		})
	}
	facts.Labels, facts.LabelsTruncated = labelsOf(h.Labels)
	return facts
}

// labelsOf keeps the first labels in the order of their keys, so that the same ones are kept each time.
func labelsOf(labels map[string]string) (map[string]string, bool) {
	if len(labels) == 0 {
		return nil, false
	}
	kept, truncated := make(map[string]string, min(len(labels), maxLabels)), false
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		cleanKey, value := clean(key, maxLabelKey), clean(labels[key], maxLabelValue)
		if len(kept) == maxLabels {
			return kept, true
		}
		truncated = truncated || len(key) > maxLabelKey || len(labels[key]) > maxLabelValue
		kept[cleanKey] = value
	}
	return kept, truncated
}

// clean makes text that every database takes: valid UTF-8 without NUL, of at most limit bytes.
func clean(text string, limit int) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.Clone(text[:limit])
}

// describeChange is a line for the history; empty when nothing changed.
func describeChange(before, after *store.Facts) string {
	var changes []string
	text := func(name, a, b string) {
		if a != b {
			changes = append(changes, fmt.Sprintf("%s %q to %q", name, a, b))
		}
	}
	other := func(name string, same bool) {
		if !same {
			changes = append(changes, name)
		}
	}
	text("hostname", before.Hostname, after.Hostname)
	text("NGINX", before.NginxVersion, after.NginxVersion)
	text("agent", before.AgentVersion, after.AgentVersion)
	text("pod address", before.PodIP, after.PodIP)
	text("management address", before.MgmtAddress, after.MgmtAddress)
	other("build", before.BuildDate == after.BuildDate && before.GitCommit == after.GitCommit && before.GitBranch == after.GitBranch && before.IsPod == after.IsPod)
	other("management candidates", slices.Equal(before.MgmtCandidates, after.MgmtCandidates))
	other("labels", maps.Equal(before.Labels, after.Labels) && before.LabelsTruncated == after.LabelsTruncated)
	other("instances", slices.Equal(before.Instances, after.Instances))
	other("agent restarted", before.StartedAt == after.StartedAt)
	return strings.Join(changes, ", ")
}
