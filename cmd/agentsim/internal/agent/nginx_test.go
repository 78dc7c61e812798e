package agent

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/gatewaytest"
	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const nginxConf = `worker_processes 1;
events { worker_connections 64; }
pid tmp/nginx.pid;
error_log logs/error.log info;
http {
%s
  access_log logs/access.log %s;
  client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
  upstream pool { server 127.0.0.1:1 max_fails=0; server 127.0.0.1:%d; }
  server {
    listen 127.0.0.1:%d;
    location / { return 200 "hello"; }
    location /retry { proxy_pass http://pool; }
    location = /stub_status { access_log off; stub_status; }
  }
  server { listen 127.0.0.1:%d; access_log off; location / { return 201 "made"; } }
}
`

func startNGINX(t *testing.T, format string) (*localstack.NGINX, string) {
	t.Helper()
	if err := localstack.HaveNGINX(); err != nil {
		testenv.Missing(t, err.Error())
	}
	ports, err := localstack.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	root, err := localstack.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	formats, err := os.ReadFile(filepath.Join(root, "deploy", "nginx", "avika-log-format.conf"))
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	n, err := localstack.StartNGINX(t.Context(), localstack.NGINXOptions{
		Config: fmt.Sprintf(nginxConf, formats, format, ports[1], ports[0], ports[1]), Ready: url + "/stub_status",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n, url
}

func get(t *testing.T, url string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

// TestRealNGINX follows a real server's log through a retry at an upstream and a rotation.
func TestRealNGINX(t *testing.T) {
	for _, format := range []string{"avika", "combined"} {
		t.Run(format, func(t *testing.T) {
			n, url := startNGINX(t, format)
			g := new(gatewaytest.Gateway).Start(t, "", nil)
			cfg := config(t, g.Addr)
			cfg.AccessLog = filepath.Join(n.Dir(), "logs", "access.log")
			cfg.StubStatus, cfg.NginxConf, cfg.State = url+"/stub_status", filepath.Dir(n.ConfigFile()), time.Hour
			cfg.FromStart = true
			r := start(t, cfg)
			waitFor(t, "stream", func() bool { return len(heartbeats(g)) > 1 })
			get(t, url+"/a?b=1")
			get(t, url+"/retry")
			get(t, url+"/retry")
			waitFor(t, "three entries", func() bool { return len(entries(g)) == 3 })
			if err := os.Rename(cfg.AccessLog, cfg.AccessLog+".1"); err != nil {
				t.Fatal(err)
			}
			if err := n.Reopen(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "new log", func() bool { _, err := os.Stat(cfg.AccessLog); return err == nil })
			get(t, url+"/after")
			waitFor(t, "entry after the rotation", func() bool { return len(entries(g)) == 4 })
			r.stop()
			checkNGINX(t, g, format)
		})
	}
}

func checkNGINX(t *testing.T, g *gatewaytest.Gateway, format string) {
	t.Helper()
	all := entries(g)
	if e := all[0]; e.RequestMethod != "GET" || e.RequestUri != "/a?b=1" || e.Status != 200 || e.BodyBytesSent != 5 {
		t.Errorf("entry %v", e)
	}
	if e := all[1]; format == "avika" && (len(e.RequestId) != 32 || e.Status != 201 || e.UpstreamStatus == "") {
		t.Errorf("entry %v", e)
	}
	// One of two requests in turn meets the server that refuses first.
	if a, b := all[1], all[2]; format == "avika" && a.UpstreamStatus != "502, 201" && b.UpstreamStatus != "502, 201" {
		t.Errorf("no retry: %v %v", a, b)
	}
	var state *agentv1.StateSnapshot
	var metrics *agentv1.NginxMetrics
	for _, m := range g.Messages() {
		if m.GetState() != nil {
			state = m.GetState()
		}
		if m.GetMetrics() != nil {
			metrics = m.GetMetrics()
		}
	}
	if len(state.GetConfigHash()) != 64 || len(state.GetConfigHashes().GetMainConfHash()) != 64 {
		t.Errorf("state %v", state)
	}
	if metrics.GetTotalRequests() < 4 || metrics.ActiveConnections < 1 || metrics.AcceptedConnections < 1 {
		t.Errorf("metrics %v", metrics)
	}
	h := heartbeats(g)
	if last := h[len(h)-1]; last.Version[0] < '0' || last.Version[0] > '9' || last.Instances[0].Status != "RUNNING" {
		t.Errorf("heartbeat %v", last)
	}
}

// TestCountersStayWhileNGINXIsAway kills the server: zeros would be read as a restart.
func TestCountersStayWhileNGINXIsAway(t *testing.T) {
	n, url := startNGINX(t, "avika")
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, g.Addr)
	cfg.AccessLog, cfg.StubStatus = filepath.Join(n.Dir(), "logs", "access.log"), url+"/stub_status"
	r := start(t, cfg)
	instance := func() string {
		h := heartbeats(g)
		if len(h) < 2 {
			return ""
		}
		return h[len(h)-1].Instances[0].Status
	}
	waitFor(t, "running NGINX", func() bool { return instance() == "RUNNING" })
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "stopped NGINX", func() bool { return instance() == "STOPPED" })
	time.Sleep(300 * time.Millisecond)
	r.stop()
	var before int64
	for _, m := range g.Messages() {
		if s := m.GetMetrics(); s != nil {
			if s.TotalRequests == 0 || s.TotalRequests < before {
				t.Errorf("%d requests after %d", s.TotalRequests, before)
			}
			before = s.TotalRequests
		}
	}
}

// TestStopTakesNoEmptySample ends agents at many moments of their asking stub_status.
func TestStopTakesNoEmptySample(t *testing.T) {
	n, url := startNGINX(t, "avika")
	for i := range 20 {
		g := new(gatewaytest.Gateway).Start(t, "", nil)
		cfg := config(t, g.Addr)
		cfg.AccessLog, cfg.StubStatus = filepath.Join(n.Dir(), "logs", "access.log"), url+"/stub_status"
		cfg.Metrics = time.Millisecond
		r := start(t, cfg)
		waitFor(t, "stream", func() bool { return len(g.Messages()) > 5 })
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		r.stop()
		for _, m := range g.Messages() {
			if s := m.GetMetrics(); s != nil && s.TotalRequests == 0 {
				t.Fatal("a sample without counters")
			}
		}
	}
}
