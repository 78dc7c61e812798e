package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/gatewaytest"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(t *testing.T, addr string) Config {
	t.Helper()
	log := filepath.Join(t.TempDir(), "access.log")
	write(t, log, "")
	return Config{
		AccessLog: log, Format: nginxlog.Auto, AgentID: "web-01-10-0-0-1", Hostname: "web-01",
		Labels: map[string]string{"zone": "a"}, Heartbeat: 100 * time.Millisecond, Metrics: 100 * time.Millisecond,
		ReconnectWait: 100 * time.Millisecond, BufferBytes: 1 << 20, Dialer: link.Dialer{Target: addr, Transport: link.Library},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func line(n int) string {
	return fmt.Sprintf(`{"ts":"2026-03-01T12:00:05+00:00","req_id":"%032x","method":"GET","path":"/%d","status":200,"bytes":10,"rt":0.02}`+"\n", n, n)
}

// running is an agent in the background.
type running struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan Summary
}

func start(t *testing.T, cfg Config) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, cancel: cancel, done: make(chan Summary, 1)}
	go func() {
		s, err := Run(ctx, cfg)
		if err != nil {
			t.Error(err)
		}
		r.done <- s
	}()
	return r
}

func (r *running) stop() Summary {
	r.t.Helper()
	r.cancel()
	select {
	case s := <-r.done:
		return s
	case <-time.After(30 * time.Second):
		r.t.Fatal("the agent does not end")
		return Summary{}
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 30 s", what)
		}
	}
}

func entries(g *gatewaytest.Gateway) (out []*agentv1.LogEntry) {
	for _, m := range g.Messages() {
		if e := m.GetLogEntry(); e != nil {
			out = append(out, e)
		}
	}
	return out
}

func paths(g *gatewaytest.Gateway) string {
	var all []string
	for _, e := range entries(g) {
		all = append(all, strings.TrimPrefix(e.RequestUri, "/"))
	}
	return strings.Join(all, " ")
}

func heartbeats(g *gatewaytest.Gateway) (out []*agentv1.Heartbeat) {
	for _, m := range g.Messages() {
		if h := m.GetHeartbeat(); h != nil {
			out = append(out, h)
		}
	}
	return out
}

func TestBootstrapThenFullHeartbeat(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, g.Addr)
	cfg.Heartbeat = time.Hour // the full one must come soon all the same
	r := start(t, cfg)
	waitFor(t, "full heartbeat", func() bool { return len(heartbeats(g)) >= 2 })
	r.stop()
	first := g.Messages()[0]
	if h := first.GetHeartbeat(); h.GetVersion() != "unknown" || h.Labels != nil || first.AgentId != "web-01-10-0-0-1" {
		t.Errorf("first message %v", first)
	}
	if h := heartbeats(g)[1]; h.Labels["zone"] != "a" || h.AgentVersion != stockVersion || h.Hostname != "web-01" {
		t.Errorf("second heartbeat %v", h)
	}
}

func TestLinesAndWhatIsDerivedFromThem(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, g.Addr)
	cfg.ErrorLog, cfg.FromStart = filepath.Join(t.TempDir(), "error.log"), true
	r := start(t, cfg)
	waitFor(t, "stream", func() bool { return g.Streams.Load() == 1 })
	write(t, cfg.AccessLog, line(1)+"not a log line\n")
	write(t, cfg.ErrorLog, "2026/03/01 12:00:05 [error] 7#7: *1 failed\n")
	waitFor(t, "three entries", func() bool { return len(entries(g)) == 3 })
	metrics := func() (m *agentv1.NginxMetrics) {
		for _, each := range g.Messages() {
			if each.GetMetrics() != nil {
				m = each.GetMetrics()
			}
		}
		return m
	}
	waitFor(t, "counted request", func() bool { return metrics().GetHttpStatus().GetStatus_200Count() == 1 })
	m := metrics()
	if m.BytesOutTotal != 10 || m.LatencyDistribution[1].Count != 0 || m.LatencyDistribution[2].Count != 1 {
		t.Errorf("metrics %v", m)
	}
	if m.System.GetMemoryTotalBytes() == 0 || m.System.MemoryUsagePercent <= 0 || m.System.MemoryUsagePercent > 100 {
		t.Errorf("system %v", m.System)
	}
	if s := r.stop(); s.AccessEntries != 2 || s.ErrorEntries != 1 || s.Unsent != 0 {
		t.Errorf("summary %+v", s)
	}
}

// TestOutage writes lines while there is no gateway; they come in a burst afterwards, with heartbeats of that time.
func TestOutage(t *testing.T) {
	first := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, first.Addr)
	cfg.FromStart = true
	r := start(t, cfg)
	waitFor(t, "stream", func() bool { return len(heartbeats(first)) > 1 })
	first.StopNoticed(t)
	for n := range 500 {
		write(t, cfg.AccessLog, line(n))
	}
	stay(15)
	second := new(gatewaytest.Gateway).Start(t, first.Addr, nil)
	waitFor(t, "missed entries", func() bool { return len(entries(second)) == 500 })
	s := r.stop()
	if s.Broken == 0 || s.Failed == 0 || s.Connects != 2 || s.Bootstraps != 2 {
		t.Errorf("summary %+v", s)
	}
	if m := second.Messages(); m[0].GetHeartbeat().GetVersion() != "unknown" {
		t.Errorf("first message after the outage: %v", m[0])
	}
	if got := heartbeats(second); len(got) < 10 {
		t.Errorf("%d heartbeats, want those of the outage too", len(got))
	}
}

// stay lets that many heartbeats fall due. It sleeps for each, so that a moment in which nothing runs counts as one.
func stay(heartbeats int) {
	for range heartbeats {
		time.Sleep(100 * time.Millisecond)
	}
}

// TestFullBufferKeepsLinesInTheFile has a buffer far smaller than what is written during the outage.
func TestFullBufferKeepsLinesInTheFile(t *testing.T) {
	first := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, first.Addr)
	cfg.BufferBytes, cfg.FromStart = 4096, true
	r := start(t, cfg)
	waitFor(t, "stream", func() bool { return len(heartbeats(first)) > 1 })
	first.StopNoticed(t)
	for n := range 1000 {
		write(t, cfg.AccessLog, line(n))
	}
	stay(5)
	second := new(gatewaytest.Gateway).Start(t, first.Addr, nil)
	waitFor(t, "all entries", func() bool { return len(entries(first))+len(entries(second)) == 1000 })
	if s := r.stop(); s.Dropped == 0 {
		t.Errorf("no heartbeat met the full buffer: %+v", s)
	}
}

func TestRestartGoesOnWhereItEnded(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, g.Addr)
	cfg.StateDir, cfg.FromStart = t.TempDir(), true
	write(t, cfg.AccessLog, line(1)+line(2))
	r := start(t, cfg)
	waitFor(t, "two entries", func() bool { return len(entries(g)) == 2 })
	r.stop()
	write(t, cfg.AccessLog, line(3))
	if err := os.Rename(cfg.AccessLog, cfg.AccessLog+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, cfg.AccessLog, line(4))
	r = start(t, cfg)
	waitFor(t, "four entries", func() bool { return len(entries(g)) == 4 })
	r.stop()
	if got := paths(g); got != "1 2 3 4" {
		t.Errorf("entries %s", got)
	}
}

func TestDamagedStateNamesTheFile(t *testing.T) {
	cfg := config(t, "127.0.0.1:1")
	cfg.StateDir = t.TempDir()
	write(t, filepath.Join(cfg.StateDir, "positions.json"), "{")
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "positions.json") {
		t.Errorf("error %v", err)
	}
}

func TestUnreadableLogEndsTheAgent(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, g.Addr)
	cfg.AccessLog = filepath.Dir(cfg.AccessLog)
	cfg.FromStart = true
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), cfg.AccessLog) {
		t.Errorf("error %v", err)
	}
}

func TestLogRequest(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(t, g.Addr)
	write(t, cfg.AccessLog, line(1)+line(2)+line(3))
	r := start(t, cfg)
	waitFor(t, "stream", func() bool { return len(heartbeats(g)) > 1 })
	g.Send(t, &agentv1.ServerCommand{CommandId: "1", Payload: &agentv1.ServerCommand_LogRequest{
		LogRequest: &agentv1.LogRequest{LogType: "access", TailLines: 2, Follow: true},
	}})
	waitFor(t, "last lines", func() bool { return paths(g) == "2 3" })
	time.Sleep(50 * time.Millisecond)
	write(t, cfg.AccessLog, line(4))
	waitFor(t, "the new line twice", func() bool { return paths(g) == "2 3 4 4" })
	if s := r.stop(); s.LogAnswers != 3 || s.AccessEntries != 1 || s.Commands != 1 {
		t.Errorf("summary %+v", s)
	}
}

func TestUpdateAndCommandsThatAreOnlyLogged(t *testing.T) {
	for _, honor := range []bool{true, false} {
		g := new(gatewaytest.Gateway).Start(t, "", nil)
		cfg := config(t, g.Addr)
		cfg.HonorUpdate = honor
		r := start(t, cfg)
		waitFor(t, "stream", func() bool { return len(heartbeats(g)) > 1 })
		g.Send(t, &agentv1.ServerCommand{Payload: &agentv1.ServerCommand_Action{Action: &agentv1.Action{Type: "RELOAD"}}})
		g.Send(t, &agentv1.ServerCommand{Payload: &agentv1.ServerCommand_ConfigPush{}})
		g.Send(t, &agentv1.ServerCommand{})
		g.Send(t, &agentv1.ServerCommand{Payload: &agentv1.ServerCommand_Update{Update: &agentv1.Update{Version: "2.0.0"}}})
		before := len(heartbeats(g))
		waitFor(t, "later heartbeats", func() bool { return len(heartbeats(g)) > before+3 })
		if s := r.stop(); s.Commands != 4 {
			t.Errorf("summary %+v", s)
		}
		all := heartbeats(g)
		if got := all[len(all)-1].AgentVersion == "2.0.0"; got != honor {
			t.Errorf("honor %v, version %s", honor, all[len(all)-1].AgentVersion)
		}
	}
}
