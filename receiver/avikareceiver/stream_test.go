package avikareceiver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func withID(id string, message *agentv1.AgentMessage) *agentv1.AgentMessage {
	message.AgentId = id
	return message
}

func TestBothFormsOfAnIDAreOneAgent(t *testing.T) {
	g := startRig(t)
	stream := g.dial()
	for _, id := range []string{"web-01+10.0.2.15", "web-01-10-0-2-15", "web-01+10.0.2.15"} {
		require.NoError(t, stream.Send(withID(id, logMessage(&agentv1.LogEntry{Status: 200}))))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 3 })
	for _, logs := range g.logs.AllLogs() {
		id, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get("avika.agent.id")
		require.Equal(t, "web-01-10-0-2-15", id.Str())
	}
}

func TestRefusedIDs(t *testing.T) {
	for name, test := range map[string]struct {
		ids    []string
		code   codes.Code
		reason string
	}{
		"empty":                 {[]string{""}, codes.InvalidArgument, refusedAgentID},
		"10 KiB":                {[]string{strings.Repeat("x", 10<<10)}, codes.InvalidArgument, refusedAgentID},
		"a NUL":                 {[]string{"a\x00b"}, codes.InvalidArgument, refusedAgentID},
		"a terminal escape":     {[]string{"\x1b[31mred"}, codes.InvalidArgument, refusedAgentID},
		"another in the stream": {[]string{testAgent, "web-02-10-0-2-16"}, codes.PermissionDenied, refusedIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t)
			stream := g.dial()
			for _, id := range test.ids {
				require.NoError(t, stream.Send(withID(id, logMessage(&agentv1.LogEntry{Status: 200}))))
			}
			require.Equal(t, test.code, status.Code(endOf(stream)))
			require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", test.reason))
			eventually(t, func() bool { return g.logs.LogRecordCount() == len(test.ids)-1 })
		})
	}
}

func (g *rig) dialSigned(pairs []string) agentv1.Commander_ConnectClient {
	return g.dial(grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return streamer(metadata.AppendToOutgoingContext(ctx, pairs...), desc, cc, method, opts...)
	}))
}

func TestPSKOnTheStream(t *testing.T) {
	g := startRig(t, func(c *Config) { c.PSK.Keys = testKey })
	for name, test := range map[string]struct {
		pairs  []string
		id     string
		code   codes.Code
		reason string
	}{
		"unsigned":     {nil, testAgent, codes.Unauthenticated, refusedUnsigned},
		"wrong key":    {signedMetadata(otherKey, testAgent, "web-01", time.Now()), testAgent, codes.Unauthenticated, refusedSignature},
		"out of time":  {signedMetadata(testKey, testAgent, "web-01", time.Now().Add(-time.Hour)), testAgent, codes.Unauthenticated, refusedClock},
		"another's id": {signedMetadata(testKey, testAgent, "web-01", time.Now()), "web-02-10-0-2-16", codes.PermissionDenied, refusedIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			stream := g.dialSigned(test.pairs)
			_ = stream.Send(withID(test.id, logMessage(&agentv1.LogEntry{Status: 200}))) // may fail already
			err := endOf(stream)
			require.Equal(t, test.code, status.Code(err))
			require.NotEmpty(t, status.Convert(err).Message())
			require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", test.reason))
		})
	}
	require.Zero(t, g.logs.LogRecordCount(), "nothing of theirs was taken")

	for _, id := range []string{testAgent, "web-01+10.0.2.15"} {
		stream := g.dialSigned(signedMetadata(testKey, id, "web-01", time.Now()))
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
}

// registryDouble records what the receiver reports.
type registryDouble struct {
	component.StartFunc
	component.ShutdownFunc
	refuse error

	mu       sync.Mutex
	peers    []agentsession.Peer
	sessions []*sessionDouble
}

type sessionDouble struct {
	commands chan *agentv1.ServerCommand
	done     chan struct{}
	err      error
	tailing  atomic.Bool
	closed   atomic.Int32

	mu     sync.Mutex
	events []string
	tailed []string
}

func (r *registryDouble) Open(_ context.Context, peer agentsession.Peer) (agentsession.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers = append(r.peers, peer)
	if r.refuse != nil {
		return nil, r.refuse
	}
	s := &sessionDouble{commands: make(chan *agentv1.ServerCommand), done: make(chan struct{})}
	r.sessions = append(r.sessions, s)
	return s, nil
}

func (*registryDouble) RegisterServices(grpc.ServiceRegistrar) {}

// session waits for the nth session.
func (r *registryDouble) session(t *testing.T, n int) *sessionDouble {
	t.Helper()
	eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.sessions) > n
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[n]
}

func (s *sessionDouble) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf(format, args...))
}

func (s *sessionDouble) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.events...)
}

func (s *sessionDouble) Heartbeat(at time.Time, m *agentv1.Heartbeat) {
	s.add("heartbeat %d %s %d", at.Unix(), m.GetHostname(), len(m.GetLabels()))
}

func (s *sessionDouble) Metrics(at time.Time, m *agentv1.NginxMetrics) {
	s.add("metrics %d %d", at.Unix(), m.GetTotalRequests())
}

func (s *sessionDouble) State(at time.Time, m *agentv1.StateSnapshot) {
	s.add("state %d %s", at.Unix(), m.GetConfigHash())
}

func (s *sessionDouble) CommandResult(m *agentv1.CommandResult)  { s.add("result %s", m.GetCommandId()) }
func (s *sessionDouble) Commands() <-chan *agentv1.ServerCommand { return s.commands }
func (s *sessionDouble) CommandSent(id string, err error)        { s.add("sent %s %v", id, err) }
func (s *sessionDouble) Tailing() bool                           { return s.tailing.Load() }
func (s *sessionDouble) Done() <-chan struct{}                   { return s.done }
func (s *sessionDouble) Err() error                              { return s.err }
func (s *sessionDouble) Close()                                  { s.closed.Add(1) }

func (s *sessionDouble) TakeLog(entry *agentv1.LogEntry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tailed = append(s.tailed, entry.GetContent())
	return strings.HasPrefix(entry.GetContent(), "asked")
}

type hostWith map[component.ID]component.Component

func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

// startWithRegistry starts a receiver with a registry.
func startWithRegistry(t *testing.T, change ...func(*Config)) (*rig, *registryDouble) {
	id := component.MustNewID("agent_registry")
	g := newRig(t, append(change, func(c *Config) { c.Registry = &id })...)
	registry := &registryDouble{}
	g.host = hostWith{id: registry}
	return g, registry
}

func TestSessionHearsEverything(t *testing.T) {
	g, registry := startWithRegistry(t, func(c *Config) { c.PSK.Keys = testKey; c.Limits.Labels = 1 })
	g.start()
	stream := g.dialSigned(signedMetadata(testKey, testAgent, "web-01", time.Now()))
	for _, message := range []*agentv1.AgentMessage{
		heartbeatMessage(&agentv1.Heartbeat{Hostname: "web-01", Labels: map[string]string{"a": "1", "b": "2"}}),
		metricsMessage(&agentv1.NginxMetrics{TotalRequests: 7}),
		{AgentId: testAgent, Timestamp: 5, Payload: &agentv1.AgentMessage_State{State: &agentv1.StateSnapshot{ConfigHash: "abc"}}},
		{AgentId: testAgent, Timestamp: 6, Payload: &agentv1.AgentMessage_CommandResult{CommandResult: &agentv1.CommandResult{CommandId: "c1"}}},
	} {
		require.NoError(t, stream.Send(message))
	}
	session := registry.session(t, 0)
	want := []string{"heartbeat 1767225600 web-01 1", "metrics 1767225600 7", "state 5 abc", "result c1"}
	eventually(t, func() bool { return len(session.seen()) == len(want) })
	require.Equal(t, want, session.seen())
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_limits_reached", "limit", "labels"))

	peer := registry.peers[0]
	require.NotEmpty(t, peer.Address)
	peer.Address = ""
	require.Equal(t, agentsession.Peer{AgentID: testAgent, Hostname: "web-01", Authentication: agentsession.AuthenticationPSK}, peer)

	require.NoError(t, stream.CloseSend())
	eventually(t, func() bool { return session.closed.Load() > 0 })
}

func TestCommandsAreSent(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
	session := registry.session(t, 0)
	for _, id := range []string{"one", "two", "three"} {
		session.commands <- &agentv1.ServerCommand{CommandId: id, Payload: &agentv1.ServerCommand_Action{Action: &agentv1.Action{Type: "RELOAD"}}}
		got, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, id, got.GetCommandId())
		require.Equal(t, "RELOAD", got.GetAction().GetType())
	}
	eventually(t, func() bool { return len(session.seen()) == 4 })
	require.Equal(t, []string{"sent one <nil>", "sent two <nil>", "sent three <nil>"}, session.seen()[1:])
}

func TestRegistryRefusesAnAgent(t *testing.T) {
	for reason, code := range map[error]codes.Code{
		fmt.Errorf("wrapped: %w", agentsession.ErrRevoked): codes.PermissionDenied, agentsession.ErrApprovalRequired: codes.FailedPrecondition,
		fmt.Errorf("other"): codes.Unavailable,
	} {
		g, registry := startWithRegistry(t)
		registry.refuse = reason
		g.start()
		stream := g.dial()
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
		require.Equal(t, code, status.Code(endOf(stream)))
		require.Zero(t, g.logs.LogRecordCount())
	}
}

func TestRegistryEndsAStream(t *testing.T) {
	for reason, code := range map[error]codes.Code{
		agentsession.ErrRevoked: codes.PermissionDenied, agentsession.ErrRemoved: codes.Aborted, nil: codes.Unavailable,
	} {
		g, registry := startWithRegistry(t)
		g.start()
		stream := g.dial()
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
		session := registry.session(t, 0)
		session.err = reason
		close(session.done)
		require.Equal(t, code, status.Code(endOf(stream)))
		eventually(t, func() bool { return session.closed.Load() > 0 })
		eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	}
}

// An agent that does not read its commands can still be sent away.
func TestStreamEndsThoughCommandsAreStuck(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
	session := registry.session(t, 0)
	large := &agentv1.ServerCommand{Payload: &agentv1.ServerCommand_ConfigPush{ConfigPush: &agentv1.ConfigPush{Files: map[string][]byte{"f": make([]byte, 1<<20)}}}}
	for stuck := false; !stuck; {
		select {
		case session.commands <- large:
		case <-time.After(200 * time.Millisecond):
			stuck = true
		}
	}
	session.err = agentsession.ErrRevoked
	close(session.done)
	eventually(t, func() bool { return session.closed.Load() > 0 && g.receiver.streams.len() == 0 })
}

func TestAnswersToLogRequestsAreNotStored(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
	session := registry.session(t, 0)
	send := func(content string) {
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200, Content: content})))
	}
	send("before")
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	session.tailing.Store(true)
	send("asked for")
	send("normal")
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	require.Equal(t, []string{"asked for", "normal"}, session.tailed)
	require.Equal(t, "normal", g.logs.AllLogs()[1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str())
}

func TestRegistryMustExist(t *testing.T) {
	g, _ := startWithRegistry(t)
	logs, err := NewFactory().CreateLogs(t.Context(), g.settings, g.config, &g.logs)
	require.NoError(t, err)
	require.ErrorContains(t, logs.Start(t.Context(), hostWith{}), "not among the service's extensions")
	require.NoError(t, logs.Shutdown(t.Context()))

	g, _ = startWithRegistry(t)
	logs, err = NewFactory().CreateLogs(t.Context(), g.settings, g.config, &g.logs)
	require.NoError(t, err)
	other := struct {
		component.StartFunc
		component.ShutdownFunc
	}{}
	require.ErrorContains(t, logs.Start(t.Context(), hostWith{*g.config.Registry: other}), "is no registry of agents")
	require.NoError(t, logs.Shutdown(t.Context()))
}

func TestTwoStreamsWithTheSameID(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	first, second := g.dial(), g.dial()
	for _, stream := range []agentv1.Commander_ConnectClient{first, second, first, second} {
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 4 })
	registry.session(t, 1)
	require.EqualValues(t, 2, g.counted("otelcol_receiver_avika_streams"))
}

func TestTooManyStreams(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Limits.Streams = 2 })
	kept := []agentv1.Commander_ConnectClient{g.dial(), g.dial()}
	for _, stream := range kept {
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	}
	eventually(t, func() bool { return g.logs.LogRecordCount() == 2 })
	for range 3 {
		require.Equal(t, codes.ResourceExhausted, status.Code(endOf(g.dial())))
	}
	require.EqualValues(t, 3, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedStreams))
	require.EqualValues(t, 3, g.counted("otelcol_receiver_avika_limits_reached", "limit", "streams"))
	require.Equal(t, 1, g.log.FilterMessageSnippet("limits::streams").Len(), "logged once")

	require.NoError(t, kept[0].CloseSend())
	require.ErrorContains(t, endOf(kept[0]), "EOF")
	eventually(t, func() bool { return g.receiver.streams.len() == 1 })
	stream := g.dial()
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 3 })
}

func TestSilentStreamsAreClosed(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Limits.IdleTimeout = 200 * time.Millisecond })
	silent, talking := g.dial(), g.dial()
	ended := make(chan error, 1)
	go func() { ended <- endOf(silent) }()
	for done := false; !done; {
		require.NoError(t, talking.Send(heartbeatMessage(&agentv1.Heartbeat{})))
		select {
		case err := <-ended:
			require.Equal(t, codes.DeadlineExceeded, status.Code(err))
			done = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedIdle))
	require.Equal(t, 1, g.receiver.streams.len())
}

func TestMessagesAreCounted(t *testing.T) {
	g := startRig(t)
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{LogType: "error", Content: "?"})))
	require.NoError(t, stream.Send(&agentv1.AgentMessage{AgentId: testAgent}))
	eventually(t, func() bool { return g.counted("nginx_gateway_messages", "type", "other") == 1 })
	require.EqualValues(t, 1, g.counted("nginx_gateway_messages", "type", "heartbeat"))
	require.EqualValues(t, 2, g.counted("nginx_gateway_messages", "type", "log_entry"))
	eventually(t, func() bool { return g.counted("otelcol_receiver_avika_lines_unparsed", "type", "error") == 1 })
}
