package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// State implements agentsession.Session.
func (s *session) State(queued time.Time, message *agentv1.StateSnapshot) {
	s.fleet.messages.Add(1)
	queued = storable(queued)
	config := configOf(message)
	f := s.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = time.Now()
	e, ok := f.entries[s.peer.AgentID]
	if !ok || e.local != s || f.newer(e.agent.ConfigAt, queued) {
		return
	}
	summary := Summarize(&config)
	if summary == e.agent.Config {
		return
	}
	change := ifElse(summary.Digest == e.agent.Config.Digest && summary.Hash == e.agent.Config.Hash, "certificates", "configuration "+summary.Hash)
	s.config = &store.ConfigUpdate{AgentID: e.agent.ID, At: queued, Config: config, Summary: summary, Change: change}
	e.agent.Config, e.agent.ConfigAt = summary, queued
	signal(f.wake.write)
	f.hub.agent(e.agent.ID)
}

func configOf(m *agentv1.StateSnapshot) store.Config {
	config := store.Config{Hash: clean(m.ConfigHash, maxText)}
	hashes := m.ConfigHashes
	if hashes == nil {
		return config
	}
	config.ComputedAt = hashes.ComputedAt
	if hashes.MainConfHash != "" {
		config.Files = append(config.Files, store.File{Kind: "main", Path: "nginx.conf", Hash: clean(hashes.MainConfHash, maxText), ModifiedAt: hashes.MainConfModified})
	}
	config.Files = appendFiles(config.Files, "site", hashes.SiteConfigs)
	config.Files = appendFiles(config.Files, "include", hashes.IncludeFiles)
	if hashes.MaintenancePageHash != "" {
		config.Files = append(config.Files, store.File{Kind: "maintenance", Path: "maintenance page", Hash: clean(hashes.MaintenancePageHash, maxText)})
	}
	for _, c := range hashes.Certificates[:min(len(hashes.Certificates), maxCertificates)] {
		config.Certificates = append(config.Certificates, store.Certificate{
			Domain: clean(c.GetDomain(), maxText), Path: clean(c.GetCertPath(), maxPath), Hash: clean(c.GetCertHash(), maxText),
			Issuer: clean(c.GetIssuer(), maxText), Expires: c.GetExpiryTimestamp(),
		})
	}
	return config
}

func appendFiles(files []store.File, kind string, hashes []*agentv1.FileHash) []store.File {
	for _, h := range hashes[:min(len(hashes), maxFiles)] {
		files = append(files, store.File{
			Kind: kind, Path: clean(h.GetPath(), maxPath), Hash: clean(h.GetHash(), maxText), Size: h.GetSize(), ModifiedAt: h.GetModifiedAt(),
		})
	}
	return files
}

// Summarize computes what every gateway keeps of a configuration.
func Summarize(c *store.Config) store.ConfigSummary {
	summary := store.ConfigSummary{Hash: c.Hash, Digest: Digest(c.Files)}
	for _, certificate := range c.Certificates {
		if certificate.Expires > 0 && (summary.CertificateExpires == 0 || certificate.Expires < summary.CertificateExpires) {
			summary.CertificateExpires = certificate.Expires
		}
	}
	return summary
}

// Digest is equal for the same files with the same hashes, in any order; empty for no files.
func Digest(files []store.File) string {
	if len(files) == 0 {
		return ""
	}
	lines := make([]string, 0, len(files))
	for _, f := range files {
		lines = append(lines, fmt.Sprintf("%q %q %q\n", f.Kind, f.Path, f.Hash))
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range slices.Compact(lines) {
		_, _ = io.WriteString(sum, line) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
