package fleet

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/gatewaytest"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(g *gatewaytest.Gateway, transport link.Transport) Config {
	return Config{
		Agents: 3, Rate: 1000, Duration: time.Second, Tick: 20 * time.Millisecond, Seed: 7, Run: 0xabc, Heartbeat: 200 * time.Millisecond,
		Metrics: 200 * time.Millisecond, State: 400 * time.Millisecond, ReconnectWait: 50 * time.Millisecond,
		Drain: 30 * time.Second, Format: nginxlog.JSON, Dialer: link.Dialer{Target: g.Addr, Transport: transport},
	}
}

// received counts what a gateway received, as a report does.
type received struct {
	mu       sync.Mutex
	report   Report
	ids      map[string]bool
	versions map[string]int
	first    map[string]*agentv1.AgentMessage
	begun    func() // called at the first message
	// then is called once, when when says so of what was received.
	when func(*received) bool
	then func()
}

func newReceived() *received {
	return &received{
		report: Report{Status: map[string]int64{}}, ids: map[string]bool{}, versions: map[string]int{},
		first: map[string]*agentv1.AgentMessage{},
	}
}

func (r *received) add(m *agentv1.AgentMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.first) == 0 && r.begun != nil {
		r.begun()
	}
	if r.first[m.AgentId] == nil {
		r.first[m.AgentId] = m
	}
	r.count(m)
	if r.when != nil && r.when(r) {
		r.when = nil
		go r.then()
	}
}

func (r *received) count(m *agentv1.AgentMessage) {
	switch p := m.Payload.(type) {
	case *agentv1.AgentMessage_Heartbeat:
		if p.Heartbeat.Version == "unknown" {
			r.report.Bootstraps++
			return
		}
		r.report.Heartbeats++
		r.versions[p.Heartbeat.AgentVersion]++
	case *agentv1.AgentMessage_Metrics:
		r.report.Metrics++
	case *agentv1.AgentMessage_State:
		r.report.States++
	case *agentv1.AgentMessage_LogEntry:
		if r.ids[p.LogEntry.RequestId] {
			r.report.LogAnswers++
			return
		}
		r.ids[p.LogEntry.RequestId] = true
		r.report.LogEntries++
		r.report.BodyBytes += p.LogEntry.BodyBytesSent
		r.report.Status[className(int(p.LogEntry.Status)/100)]++
	}
}

// until calls then when when says so.
func (r *received) until(when func(*received) bool, then func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.when, r.then = when, then
}

func (r *received) compare(t *testing.T, want Report) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.report
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"log entries", got.LogEntries, want.LogEntries},
		{"log answers", got.LogAnswers, want.LogAnswers},
		{"bootstraps", got.Bootstraps, want.Bootstraps},
		{"heartbeats", got.Heartbeats, want.Heartbeats},
		{"metrics", got.Metrics, want.Metrics},
		{"states", got.States, want.States},
		{"body bytes", got.BodyBytes, want.BodyBytes},
		{"2xx", got.Status["2xx"], want.Status["2xx"]},
		{"5xx", got.Status["5xx"], want.Status["5xx"]},
	} {
		if c.got != c.want {
			t.Errorf("%s: gateway received %d, agents sent %d", c.name, c.got, c.want)
		}
	}
}

func TestGatewayReceivesWhatTheReportSays(t *testing.T) {
	for _, transport := range []link.Transport{link.Wire, link.Library} {
		t.Run(string(transport), func(t *testing.T) {
			r := newReceived()
			g := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil)
			report, err := Run(t.Context(), config(g, transport), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			r.compare(t, report)
			if report.LogEntries != 3000 || report.Confirmed != 3 || report.Unsent != 0 || report.Bootstraps != 3 {
				t.Errorf("report %+v", report)
			}
			if report.Heartbeats < 9 || report.Metrics < 9 || report.States < 3 {
				t.Errorf("too few: %+v", report)
			}
			for id, m := range r.first {
				if m.GetHeartbeat().GetVersion() != "unknown" || m.GetHeartbeat().GetLabels() != nil {
					t.Errorf("%s began with %v", id, m)
				}
			}
		})
	}
}

func TestTotalIsExact(t *testing.T) {
	for _, rate := range []float64{Unlimited, 20000} {
		r := newReceived()
		g := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil)
		cfg := config(g, link.Wire)
		cfg.Rate, cfg.Total, cfg.Duration = rate, 10001, 0
		report, err := Run(t.Context(), cfg, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		r.compare(t, report)
		if report.LogEntries != 10001 || report.Confirmed != 3 {
			t.Errorf("rate %v: report %+v", rate, report)
		}
	}
}

func TestRateZeroSendsNoEntries(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	cfg := config(g, link.Wire)
	cfg.Rate, cfg.Duration = 0, 500*time.Millisecond
	report, err := Run(t.Context(), cfg, io.Discard)
	if err != nil || report.LogEntries != 0 || report.Heartbeats < 3 || report.Confirmed != 3 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// TestOutageIsMadeUpFor stops the gateway in the middle: what fell due meanwhile comes afterwards, with its old times.
func TestOutageIsMadeUpFor(t *testing.T) {
	r := newReceived()
	var oldest time.Duration
	late := func(m *agentv1.AgentMessage) {
		r.add(m)
		r.mu.Lock()
		defer r.mu.Unlock()
		oldest = max(oldest, time.Since(time.Unix(m.Timestamp, 0)))
	}
	first := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil)
	second := &gatewaytest.Gateway{Received: late}
	r.when = func(r *received) bool { return r.report.LogEntries >= 1500 }
	r.then = func() {
		first.Stop()
		time.AfterFunc(2*time.Second, func() { second.Start(t, first.Addr, nil) })
	}
	cfg := config(first, link.Wire)
	cfg.Duration = 3 * time.Second
	report, err := Run(t.Context(), cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if report.LogEntries != 9000 || report.Broken < 3 || report.Failed == 0 || report.Unsent != 0 || report.Bootstraps != 6 {
		t.Errorf("report %+v", report)
	}
	if len(report.Breaks) != int(report.Broken) || report.Breaks[0].Entries < 100 || report.Breaks[0].Entries >= 3000 || report.Breaks[0].At == 0 {
		t.Errorf("breaks %+v", report.Breaks)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// What the first gateway's sockets swallowed is lost, as with stock agents. Without the outage's entries it would be 3,000.
	if r.report.LogEntries < 6000 || oldest < 1500*time.Millisecond {
		t.Errorf("received %d entries, the oldest %v late", r.report.LogEntries, oldest)
	}
}

// TestSlowGatewayHoldsAgentsBack checks that flow control is felt, reported, and loses nothing.
func TestSlowGatewayHoldsAgentsBack(t *testing.T) {
	for _, transport := range []link.Transport{link.Wire, link.Library} {
		t.Run(string(transport), func(t *testing.T) {
			r := newReceived()
			hold := make(chan struct{})
			r.begun = func() { time.AfterFunc(time.Second, func() { close(hold) }) }
			g := (&gatewaytest.Gateway{Received: r.add, Hold: hold}).Start(t, "", nil)
			go func() { hold <- struct{}{} }()
			cfg := config(g, transport)
			cfg.Rate, cfg.Total, cfg.Duration = Unlimited, 3000, 0
			report, err := Run(t.Context(), cfg, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			r.compare(t, report)
			if report.LogEntries != 3000 || report.StallSeconds < 0.5 {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestStopSendsWhatIsUnderWay(t *testing.T) {
	r := newReceived()
	g := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.when = func(r *received) bool { return r.report.LogEntries >= 500 }
	r.then = cancel
	cfg := config(g, link.Wire)
	cfg.Duration = time.Hour
	report, err := Run(ctx, cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r.compare(t, report)
	if report.Confirmed != 3 || report.LogEntries == 0 || report.Unsent != 0 {
		t.Errorf("report %+v", report)
	}
}

// An agent that waits for its next stream when the fleet is stopped still sends what is due.
func TestStopBetweenStreams(t *testing.T) {
	r := newReceived()
	first, second := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil), &gatewaytest.Gateway{Received: r.add}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.when = func(r *received) bool { return r.report.LogEntries >= 200 }
	r.then = func() {
		first.StopNoticed(t)
		second.Start(t, first.Addr, nil)
		cancel()
	}
	cfg := config(first, link.Wire)
	cfg.Agents, cfg.Duration, cfg.ReconnectWait = 1, 0, 2*time.Second
	report, err := Run(ctx, cfg, io.Discard)
	if err != nil || report.Unsent != 0 || report.Confirmed != 1 || report.Bootstraps != 2 || report.LogEntries < 2000 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// Without a gateway a fleet that is stopped ends at once.
func TestStopWithoutAGateway(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	g.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := config(g, link.Wire)
	cfg.Duration, cfg.Drain = 0, time.Hour
	report, err := Run(ctx, cfg, eachLine(cancel))
	if err != nil || report.Unsent == 0 || report.Confirmed != 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// eachLine is called with each line of progress.
type eachLine func()

func (f eachLine) Write(line []byte) (int, error) {
	f()
	return len(line), nil
}

func TestCommands(t *testing.T) {
	r := newReceived()
	g := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil)
	cfg := config(g, link.Wire)
	cfg.Agents, cfg.HonorUpdate, cfg.Duration = 1, true, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.when = func(r *received) bool { return r.report.LogEntries >= 200 && r.versions[stockVersion] > 0 }
	r.then = func() {
		g.Send(t, &agentv1.ServerCommand{CommandId: "1", Payload: &agentv1.ServerCommand_LogRequest{
			LogRequest: &agentv1.LogRequest{LogType: "access", TailLines: 50},
		}})
		g.Send(t, &agentv1.ServerCommand{CommandId: "2", Payload: &agentv1.ServerCommand_Update{
			Update: &agentv1.Update{Version: "1.200.0"},
		}})
		r.until(func(r *received) bool { return r.report.LogAnswers > 0 && r.versions["1.200.0"] > 0 }, cancel)
	}
	report, err := Run(ctx, cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r.compare(t, report)
	if report.LogAnswers != 50 || report.Commands["log_request"] != 1 || report.Commands["update"] != 1 {
		t.Errorf("report %+v", report)
	}
	if r.versions["1.200.0"] == 0 || r.versions[stockVersion] == 0 {
		t.Errorf("versions %v", r.versions)
	}
}

func TestFollowRepeatsNewEntries(t *testing.T) {
	r := newReceived()
	g := (&gatewaytest.Gateway{Received: r.add}).Start(t, "", nil)
	cfg := config(g, link.Library)
	cfg.Agents, cfg.Duration = 1, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow := &agentv1.ServerCommand_LogRequest{LogRequest: &agentv1.LogRequest{Follow: true}}
	r.when = func(r *received) bool { return r.report.LogEntries >= 200 }
	r.then = func() {
		g.Send(t, &agentv1.ServerCommand{Payload: follow})
		r.until(func(r *received) bool { return r.report.LogAnswers >= 300 }, cancel)
	}
	report, err := Run(ctx, cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r.compare(t, report)
	if report.LogAnswers < 300 || report.LogAnswers > report.LogEntries-200 {
		t.Errorf("report %+v", report)
	}
}

func TestValidateNamesTheSetting(t *testing.T) {
	if err := (&Config{Agents: 0, Rate: -3, Total: -1}).Validate(); err == nil {
		t.Error("no error")
	}
	if err := (&Config{Agents: 1, Tick: 1}).Validate(); err != nil {
		t.Error(err)
	}
}
