package registry

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// The fleet that the page's tests and pictures show: three sites, each with edges, applications and a cache.

var sites = []string{"fra", "iad", "sin"}

var roles = []struct {
	name  string
	count int
	pace  float64
}{{"edge", 8, 1800}, {"app", 5, 420}, {"cache", 3, 900}}

// demoAgents makes agents that are not connected yet.
func demoAgents(t testing.TB) []*agent {
	t.Helper()
	var agents []*agent
	for s, site := range sites {
		for _, role := range roles {
			for i := 1; i <= role.count; i++ {
				agents = append(agents, demoAgent(t, len(agents), s, site, role.name, i, role.pace))
			}
		}
	}
	return agents
}

func demoAgent(t testing.TB, n, s int, site, role string, i int, pace float64) *agent {
	t.Helper()
	address := fmt.Sprintf("10.%d.%d.%d", 20+s, len(role), 10+i)
	host := fmt.Sprintf("%s-%s-%02d", role, site, i)
	a := newAgent(t, host+"-"+strings.ReplaceAll(address, ".", "-"))
	a.pace = wave(n, pace)
	a.state = demoState(n, role)
	a.dress = func(h *agentv1.Heartbeat) {
		h.Hostname, h.Uptime = host, float64(90_000+n*7919)
		h.Version = []string{"1.26.3", "1.26.3", "1.28.0"}[n%3]
		h.BuildDate, h.GitCommit, h.GitBranch = "2026-03-02", "9f31c2a", "main"
		h.MgmtAddress, h.IsPod = address+":5025", role == "app"
		if h.IsPod {
			h.PodIp = address
		}
		h.Labels = map[string]string{"env": "prod", "site": site, "role": role}
		if i == 1 {
			h.Labels["canary"] = "true"
		}
		h.Instances = []*agentv1.NginxInstance{{Pid: fmt.Sprint(800 + n), Version: h.Version, ConfPath: "/etc/nginx/nginx.conf", Status: "RUNNING"}}
	}
	return a
}

// wave is a request rate that goes up and down, at each agent another way.
func wave(n int, pace float64) func() int64 {
	at := float64(n)
	return func() int64 {
		at += 0.21
		return int64(pace * (1 + 0.35*math.Sin(at) + 0.2*math.Sin(at*2.7+float64(n)) + 0.1*math.Sin(at*7.1)))
	}
}

// demoState is the same for all agents of a role, but for one that somebody has changed by hand.
func demoState(n int, role string) *agentv1.StateSnapshot {
	hash := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	modified := time.Now().Add(-200 * time.Hour).Unix()
	site := hash(role + "-site")
	if n == 3 || n == 20 {
		site, modified = hash("by hand"), time.Now().Add(-3*time.Hour).Unix()
	}
	left := []int{71, 48, 84, 63}[n%4]
	if n == 5 {
		left = 9
	}
	return &agentv1.StateSnapshot{ConfigHash: hash(role + site), ConfigHashes: &agentv1.ConfigHashes{
		MainConfHash: hash("main"), MainConfModified: modified, ComputedAt: time.Now().Unix(),
		SiteConfigs: []*agentv1.FileHash{
			{Path: "/etc/nginx/conf.d/" + role + ".conf", Hash: site, Size: 4096, ModifiedAt: modified},
			{Path: "/etc/nginx/conf.d/status.conf", Hash: hash("status"), Size: 312, ModifiedAt: modified},
		},
		IncludeFiles: []*agentv1.FileHash{{Path: "/etc/nginx/mime.types", Hash: hash("mime"), Size: 5349, ModifiedAt: modified}},
		Certificates: []*agentv1.CertHashInfo{
			{Domain: "shop.example", CertPath: "/etc/ssl/shop.example.pem", CertHash: hash("cert"), Issuer: "Example CA R3", ExpiryTimestamp: time.Now().Add(time.Duration(left) * 24 * time.Hour).Unix()},
			{Domain: "api.shop.example", CertPath: "/etc/ssl/api.pem", CertHash: hash("api"), Issuer: "Example CA R3", ExpiryTimestamp: time.Now().Add(62 * 24 * time.Hour).Unix()},
		},
	}}
}

// browsing logs requests as shoppers make them.
func (a *agent) browsing(n int) {
	paths := []string{"/", "/products/8812", "/cart", "/api/v1/search?q=boots", "/assets/app.3f9c.js", "/checkout", "/api/v1/price/8812"}
	status := []int{200, 200, 200, 304, 200, 200, 404, 200, 502, 200, 200}[n%11]
	now := time.Now()
	content := fmt.Sprintf(`{"ts":%q,"req_id":"%032x","client":"198.51.100.%d","method":%q,"path":%q,"status":%d,"bytes":%d,"rt":%.3f,"ua":"Mozilla/5.0"}`,
		now.UTC().Format(time.RFC3339), n+1, n%250+1, []string{"GET", "GET", "GET", "POST"}[n%4], paths[n%len(paths)], status, 900+n*37%9000, 0.004+float64(n%17)/190)
	a.write(&agentv1.LogEntry{Timestamp: now.Unix(), LogType: "access", Status: int32(status), RequestId: fmt.Sprintf("%032x", n+1), Content: content})
}
