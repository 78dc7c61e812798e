package registry

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// agent behaves on the wire as a stock agent does, and goes where the test sends it.
type agent struct {
	t        testing.TB
	id       string
	version  string
	commands chan *agentv1.ServerCommand
	// dress changes what the agent says of itself, state is what it says of its configuration, pace its requests a second.
	dress func(*agentv1.Heartbeat)
	state *agentv1.StateSnapshot
	pace  func() int64

	mu     sync.Mutex
	stream *connection
	log    []*agentv1.LogEntry
	follow int
	total  int64
}

// connection is one stream.
type connection struct {
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[agentv1.AgentMessage, agentv1.ServerCommand]
	cancel context.CancelFunc
	sends  sync.Mutex
	done   chan struct{}
	err    error
	loops  sync.WaitGroup
}

func newAgent(t testing.TB, id string) *agent {
	t.Helper()
	a := &agent{
		t: t, id: id, version: "1.110", commands: make(chan *agentv1.ServerCommand, 64),
		dress: func(*agentv1.Heartbeat) {}, pace: func() int64 { return 50 },
	}
	t.Cleanup(a.leave)
	return a
}

// join opens a stream to a gateway, after the old one has been cut.
func (a *agent) join(gateway string) *connection {
	a.t.Helper()
	a.leave()
	return a.add(gateway)
}

// add opens a stream and leaves the old one to the caller.
func (a *agent) add(gateway string) *connection {
	a.t.Helper()
	conn, err := grpc.NewClient(gateway, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(a.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := agentv1.NewCommanderClient(conn).Connect(ctx)
	require.NoError(a.t, err)
	c := &connection{conn: conn, stream: stream, cancel: cancel, done: make(chan struct{})}
	a.mu.Lock()
	a.stream, a.follow = c, 0
	a.mu.Unlock()
	c.loops.Go(func() { a.receive(c) })
	c.loops.Go(func() { a.beat(ctx, c) })
	return c
}

func (c *connection) close() {
	c.cancel()
	c.loops.Wait()
	_ = c.conn.Close()
}

func (a *agent) leave() {
	a.mu.Lock()
	c := a.stream
	a.stream = nil
	a.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// send puts a message on the stream. A broken stream is noticed by receive.
func (c *connection) send(m *agentv1.AgentMessage) {
	c.sends.Lock()
	defer c.sends.Unlock()
	_ = c.stream.Send(m)
}

func (a *agent) beat(ctx context.Context, c *connection) {
	first := &agentv1.Heartbeat{Hostname: "host-" + a.id, Version: "unknown", AgentVersion: a.version}
	c.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_Heartbeat{Heartbeat: first}}))
	if a.state != nil {
		c.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_State{State: a.state}}))
	}
	started := time.Now()
	for {
		full := &agentv1.Heartbeat{
			Hostname: "host-" + a.id, Version: "1.24.0", Uptime: time.Since(started).Seconds(), AgentVersion: a.version, Labels: map[string]string{"environment": "e2e"},
			Instances: []*agentv1.NginxInstance{{Pid: "1", Version: "1.24.0", ConfPath: "/etc/nginx/nginx.conf", Status: "RUNNING"}},
		}
		a.dress(full)
		a.mu.Lock()
		a.total += a.pace()
		total := a.total
		a.mu.Unlock()
		c.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_Heartbeat{Heartbeat: full}}))
		c.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_Metrics{Metrics: &agentv1.NginxMetrics{TotalRequests: total, ActiveConnections: 1}}}))
		select {
		case <-ctx.Done():
			return
		case <-c.done:
			return
		case <-time.After(time.Second):
		}
	}
}

func (a *agent) message(m *agentv1.AgentMessage) *agentv1.AgentMessage {
	m.AgentId, m.Timestamp = a.id, time.Now().Unix()
	return m
}

func (a *agent) receive(c *connection) {
	defer close(c.done)
	for {
		command, err := c.stream.Recv()
		if err != nil {
			c.err = err
			return
		}
		if request := command.GetLogRequest(); request != nil {
			a.answer(c, request)
		}
		select {
		case a.commands <- command:
		default: // the test does not look at all of them
		}
	}
}

// answer sends the last lines again, and from now on each new line twice.
func (a *agent) answer(c *connection, request *agentv1.LogRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if request.Follow {
		a.follow++
	}
	for _, entry := range a.log[max(0, len(a.log)-int(request.TailLines)):] {
		c.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_LogEntry{LogEntry: entry}}))
	}
}

// request logs one request of NGINX.
func (a *agent) request(id string) {
	now := time.Now()
	a.write(&agentv1.LogEntry{
		Timestamp: now.Unix(), LogType: "access", RemoteAddr: "192.0.2.1", RequestMethod: "GET", RequestUri: "/" + id, Status: 200, RequestId: id,
		Content: fmt.Sprintf(`{"ts":%q,"req_id":%q,"client":"192.0.2.1","method":"GET","path":"/%s","status":200}`, now.UTC().Format(time.RFC3339), id, id),
	})
}

// write adds a line to the log, and sends it as often as a stock agent does.
func (a *agent) write(entry *agentv1.LogEntry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, entry)
	for range 1 + a.follow {
		if a.stream != nil {
			a.stream.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_LogEntry{LogEntry: entry}}))
		}
	}
}

func (a *agent) result(id string, success bool, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stream.send(a.message(&agentv1.AgentMessage{Payload: &agentv1.AgentMessage_CommandResult{CommandResult: &agentv1.CommandResult{
		CommandId: id, Success: success, ErrorMessage: text,
	}}}))
}
