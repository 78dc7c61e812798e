package host

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const (
	mainConf   = "nginx.conf"
	maxHashed  = 4 << 20 // larger files are no configuration
	maxEntries = 5000
)

// ConfigState hashes an NGINX configuration folder: the main file, sites (conf.d, sites-*), other files and certificates.
// The overall hash is that of all paths and hashes in order.
func ConfigState(folder string, now time.Time) (*agentv1.StateSnapshot, error) {
	h := &agentv1.ConfigHashes{ComputedAt: now.Unix()}
	all := sha256.New()
	seen := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxHashed {
			return nil //nolint:nilerr // a dangling link is no configuration
		}
		if seen++; seen > maxEntries {
			return fmt.Errorf("more than %d files in %s; give the folder of nginx.conf", maxEntries, folder)
		}
		file, content, err := hashFile(path, info)
		if err != nil {
			return err
		}
		fmt.Fprintln(all, file.Path, file.Hash)
		place(h, folder, file, content)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hash configuration: %w", err)
	}
	return &agentv1.StateSnapshot{ConfigHash: hex.EncodeToString(all.Sum(nil)), ConfigHashes: h}, nil
}

func hashFile(path string, info fs.FileInfo) (*agentv1.FileHash, []byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(content)
	return &agentv1.FileHash{
		Path: path, Hash: hex.EncodeToString(sum[:]), Size: info.Size(), ModifiedAt: info.ModTime().Unix(),
	}, content, nil
}

// place puts a file where agents report its kind.
func place(h *agentv1.ConfigHashes, folder string, f *agentv1.FileHash, content []byte) {
	relative := strings.TrimPrefix(strings.TrimPrefix(f.Path, folder), string(filepath.Separator))
	switch top, _, _ := strings.Cut(relative, string(filepath.Separator)); {
	case relative == mainConf:
		h.MainConfHash, h.MainConfModified = f.Hash, f.ModifiedAt
	case strings.Contains(filepath.Base(relative), "maintenance"):
		h.MaintenancePageHash = f.Hash
	case isCertificate(relative):
		if c := certificate(f, content); c != nil {
			h.Certificates = append(h.Certificates, c)
		}
	case top == "conf.d" || strings.HasPrefix(top, "sites-"):
		h.SiteConfigs = append(h.SiteConfigs, f)
	default:
		h.IncludeFiles = append(h.IncludeFiles, f)
	}
}

func isCertificate(path string) bool {
	switch filepath.Ext(path) {
	case ".pem", ".crt", ".cer", ".key":
		return true
	}
	return false
}

// certificate reads the first certificate of a PEM file; nil when it holds none (a key, say).
func certificate(f *agentv1.FileHash, content []byte) *agentv1.CertHashInfo {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	domain := c.Subject.CommonName
	if len(c.DNSNames) > 0 {
		domain = c.DNSNames[0]
	}
	return &agentv1.CertHashInfo{
		Domain: domain, CertPath: f.Path, CertHash: f.Hash, ExpiryTimestamp: c.NotAfter.Unix(), Issuer: c.Issuer.String(),
	}
}
