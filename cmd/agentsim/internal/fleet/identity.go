package fleet

import (
	"fmt"
	"maps"
	"strings"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// identity is what one simulated agent is.
type identity struct {
	number             int
	id, host, address  string
	nginx, agent       string
	labels             map[string]string
	memoryTotal, pid   uint64
	confHash, mainConf string
}

var nginxVersions = []string{"1.28.0", "1.26.3", "1.29.1", "1.24.0"}

const stockVersion = "1.110.0"

func (c *Config) identity(i int) identity {
	host := c.Hostname
	if c.Agents > 1 || host == "" {
		host = fmt.Sprintf("%s-%05d", orElse(c.Hostname, "web"), i+1)
	}
	address := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
	id := host + "-" + strings.ReplaceAll(address, ".", "-")
	switch {
	case c.AgentID != "" && c.Agents == 1:
		id = c.AgentID
	case c.AgentID != "":
		id = fmt.Sprintf("%s-%05d", c.AgentID, i+1)
	}
	return identity{
		number: i, id: id, host: host, address: address, nginx: nginxVersions[i%len(nginxVersions)],
		agent: stockVersion, labels: c.labels(i), memoryTotal: uint64(4+i%4*4) << 30, pid: uint64(700 + i%300),
		confHash: fmt.Sprintf("%064x", 0xc0ffee+c.Seed), mainConf: "/etc/nginx/nginx.conf",
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// labels are those asked for, over some that make a fleet worth grouping.
func (c *Config) labels(i int) map[string]string {
	zones := []string{"eu-1a", "eu-1b", "us-1a"}
	projects := []string{"shop", "shop", "search", "accounts"}
	l := map[string]string{"zone": zones[i%len(zones)], "project": projects[i%len(projects)], "environment": "simulation"}
	maps.Copy(l, c.Labels)
	return l
}

// heartbeat is the full one; the bootstrap heartbeat has no labels and knows no NGINX version.
func (d *identity) heartbeat(uptime float64, bootstrap bool) *agentv1.Heartbeat {
	h := &agentv1.Heartbeat{
		Hostname: d.host, Version: d.nginx, Uptime: uptime, AgentVersion: d.agent, PodIp: d.address,
		BuildDate: "2026-03-02T10:00:00Z", GitCommit: "5f0c1de", GitBranch: "main", Labels: d.labels,
		MgmtAddress: d.address + ":5025", MgmtAddressCandidates: []string{d.address + ":5025", d.host + ":5025"},
		Instances: []*agentv1.NginxInstance{
			{Pid: fmt.Sprint(d.pid), Version: d.nginx, ConfPath: d.mainConf, Status: "RUNNING"},
		},
	}
	if bootstrap {
		h.Version, h.Labels, h.Instances = "unknown", nil, nil
	}
	return h
}

// state is the same on most agents; a few have drifted from the others.
func (d *identity) state(now int64) *agentv1.StateSnapshot {
	hash := d.confHash
	if d.number%25 == 24 {
		hash = fmt.Sprintf("%064x", 0xdecaf+d.number)
	}
	site := &agentv1.FileHash{Path: "/etc/nginx/conf.d/shop.conf", Hash: hash, Size: 2048, ModifiedAt: 1767225600}
	return &agentv1.StateSnapshot{ConfigHash: hash, ConfigHashes: &agentv1.ConfigHashes{
		MainConfHash: d.confHash, MainConfModified: 1767225600, SiteConfigs: []*agentv1.FileHash{site}, ComputedAt: now,
		Certificates: []*agentv1.CertHashInfo{{
			Domain: "shop.example.com", CertPath: "/etc/nginx/tls/shop.pem", CertHash: d.confHash,
			ExpiryTimestamp: now + int64(20+d.number%60)*86400, Issuer: "CN=Example CA",
		}},
	}}
}
