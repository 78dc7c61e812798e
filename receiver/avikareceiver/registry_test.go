package avikareceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

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
	ending   sync.Once
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

func (s *sessionDouble) Unchanged(at time.Time, uptime float64) bool {
	if uptime < 100 {
		return false
	}
	s.add("unchanged %d %g", at.Unix(), uptime)
	return true
}

func (s *sessionDouble) Metrics(at time.Time, requests int64) {
	s.add("metrics %d %d", at.Unix(), requests)
}

func (s *sessionDouble) State(at time.Time, m *agentv1.StateSnapshot) {
	s.add("state %d %s", at.Unix(), m.GetConfigHash())
}

func (s *sessionDouble) CommandResult(m *agentv1.CommandResult)  { s.add("result %s", m.GetCommandId()) }
func (s *sessionDouble) Commands() <-chan *agentv1.ServerCommand { return s.commands }
func (s *sessionDouble) Due(id string) bool                      { return id != "late" }
func (s *sessionDouble) CommandSent(id string, err error)        { s.add("sent %s %v", id, err) }
func (s *sessionDouble) Tailing() bool                           { return s.tailing.Load() }
func (s *sessionDouble) Done() <-chan struct{}                   { return s.done }
func (s *sessionDouble) Err() error                              { return s.err }

// Close ends the session as the registry's does: it is done then.
func (s *sessionDouble) Close() {
	s.closed.Add(1)
	s.end()
}

func (s *sessionDouble) end() { s.ending.Do(func() { close(s.done) }) }

func (s *sessionDouble) TakeLog(entry *agentv1.LogEntry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tailed = append(s.tailed, entry.GetContent())
	return strings.HasPrefix(entry.GetContent(), "asked")
}

// TestHeartbeatsThatSayNothingNew are not decoded, unless the session asks for the whole message.
func TestHeartbeatsThatSayNothingNew(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	stream := g.dial()
	for i, beat := range []*agentv1.Heartbeat{{Hostname: "a", Uptime: 100}, {Hostname: "a", Uptime: 101}, {Hostname: "a", Uptime: 1}, {Hostname: "b", Uptime: 102}} {
		message := heartbeatMessage(beat)
		message.Timestamp = int64(1000 + i)
		require.NoError(t, stream.Send(message))
	}
	session := registry.session(t, 0)
	eventually(t, func() bool { return len(session.seen()) == 4 })
	require.Equal(t, []string{"heartbeat 1000 a 0", "unchanged 1001 101", "heartbeat 1002 a 0", "heartbeat 1003 b 0"}, session.seen())
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

// An agent that ends its stream is told that it has been read, and not that the registry ended the session, however goroutines run.
func TestAnAgentEndsItsStream(t *testing.T) {
	g, _ := startWithRegistry(t)
	g.start()
	for range 100 {
		stream := g.dial()
		require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
		require.NoError(t, stream.CloseSend())
		_, err := stream.Recv()
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestCommandsAreSent(t *testing.T) {
	g, registry := startWithRegistry(t)
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{})))
	session := registry.session(t, 0)
	for _, id := range []string{"one", "late", "two", "three"} {
		session.commands <- &agentv1.ServerCommand{CommandId: id, Payload: &agentv1.ServerCommand_Action{Action: &agentv1.Action{Type: "RELOAD"}}}
		if !session.Due(id) {
			continue // the next one comes in its place
		}
		got, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, id, got.GetCommandId())
		require.Equal(t, "RELOAD", got.GetAction().GetType())
	}
	eventually(t, func() bool { return len(session.seen()) == 4 })
	require.Equal(t, []string{"sent one <nil>", "sent two <nil>", "sent three <nil>"}, session.seen()[1:])
}

func TestRegistryRefusesAnAgent(t *testing.T) {
	for _, test := range []struct {
		err          error
		code         codes.Code
		reason, says string
	}{
		{fmt.Errorf("wrapped: %w", agentsession.ErrRevoked), codes.PermissionDenied, refusedRevoked, "this agent has been revoked in the registry"},
		{agentsession.ErrApprovalRequired, codes.FailedPrecondition, refusedApproval, "this agent waits for approval in the registry"},
		{agentsession.ErrTooManyAgents, codes.ResourceExhausted, refusedTooMany, "does not know this one"},
		{errors.New("no room"), codes.Unavailable, refusedRegistry, "no room"},
	} {
		g, registry := startWithRegistry(t)
		registry.refuse = test.err
		g.start()
		stream := g.dial()
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
		err := endOf(stream)
		require.Equal(t, test.code, status.Code(err))
		require.ErrorContains(t, err, test.says, "an operator reads it in the agent's log")
		require.Zero(t, g.logs.LogRecordCount())
		require.Equal(t, testAgent, g.logged(test.reason)["agent_id"])
		require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", test.reason))
	}
}

func TestRegistryEndsAStream(t *testing.T) {
	for reason, code := range map[error]codes.Code{
		agentsession.ErrRevoked: codes.PermissionDenied, agentsession.ErrApprovalRequired: codes.FailedPrecondition,
		agentsession.ErrRemoved: codes.Aborted, nil: codes.Unavailable,
	} {
		g, registry := startWithRegistry(t)
		g.start()
		stream := g.dial()
		require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
		session := registry.session(t, 0)
		session.err = reason
		session.end()
		require.Equal(t, code, status.Code(endOf(stream)))
		if reason != nil {
			refused := g.log.FilterMessage("Refused a stream").All()
			require.Len(t, refused, 1)
			require.Equal(t, testAgent, refused[0].ContextMap()["agent_id"])
		}
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
	session.end()
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
