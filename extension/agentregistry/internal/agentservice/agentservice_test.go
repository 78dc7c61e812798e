package agentservice

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/embedded"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type identity struct{}

func (identity) GetAttribute(string) any     { return "ann" }
func (identity) GetAttributeNames() []string { return []string{"subject"} }

// serve starts the service. prepare is what a receiver's authentication does to the context.
func serve(t *testing.T, control string, prepare func(context.Context) context.Context) (agentv1.AgentServiceClient, *fleet.Fleet) {
	t.Helper()
	f := fleet.New(fleet.Settings{
		GatewayID: "g", Lease: time.Minute, Renew: time.Second, FlushInterval: time.Second, SweepInterval: time.Second, OperationTimeout: time.Second,
	}, embedded.New(), zaptest.NewLogger(t), func(fleet.Database) {}, func() store.Load { return store.Load{} })
	f.Start()
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		return h(prepare(ctx), r)
	}))
	Register(server, f, "1.2.3", control)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		server.Stop()
		assert.NoError(t, <-done)
		assert.NoError(t, f.Shutdown(context.Background()))
	})
	return agentv1.NewAgentServiceClient(conn), f
}

func connect(t *testing.T, f *fleet.Fleet) agentsession.Session {
	t.Helper()
	s, err := f.Open(t.Context(), agentsession.Peer{AgentID: "web-01-10-0-2-15", Address: "10.0.2.15:4000", Authentication: agentsession.AuthenticationPSK})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.Heartbeat(time.Now(), &agentv1.Heartbeat{
		Hostname: "web-01", Version: "1.24.0", Uptime: 90, AgentVersion: "1.110", IsPod: true, PodIp: "10.0.2.15", BuildDate: "b", GitCommit: "c", GitBranch: "m",
		Labels: map[string]string{"k": "v"}, Instances: []*agentv1.NginxInstance{{Pid: "1"}, {Pid: "2"}},
	})
	require.Eventually(t, func() bool {
		state, _ := f.Get("web-01-10-0-2-15")
		return state.Live.Session != 0
	}, 30*time.Second, 5*time.Millisecond)
	return s
}

func open(ctx context.Context) context.Context { return ctx }

func TestListAndGet(t *testing.T) {
	c, f := serve(t, "auth", open)
	s := connect(t, f)
	list, err := c.ListAgents(t.Context(), &agentv1.ListAgentsRequest{})
	require.NoError(t, err)
	assert.Equal(t, "1.2.3", list.SystemVersion)
	require.Len(t, list.Agents, 1)
	for _, id := range []string{"web-01-10-0-2-15", "web-01+10.0.2.15"} {
		a, err := c.GetAgent(t.Context(), &agentv1.GetAgentRequest{AgentId: id})
		require.NoError(t, err)
		assert.Equal(t, "online", a.Status)
		assert.Equal(t, "10.0.2.15", a.Ip)
		assert.Regexp(t, "^9[0-9]s$", a.Uptime)
		assert.True(t, a.PskAuthenticated)
		assert.EqualValues(t, 2, a.InstancesCount)
		assert.InDelta(t, time.Now().Unix(), a.LastSeen, 60)
		assert.Equal(t, map[string]string{"k": "v"}, a.Labels)
		assert.Equal(t, "1.24.0", a.Version)
		assert.True(t, a.IsPod)
	}
	s.Close()
	a, err := c.GetAgent(t.Context(), &agentv1.GetAgentRequest{AgentId: "web-01-10-0-2-15"})
	require.NoError(t, err)
	assert.Equal(t, "offline", a.Status)
	_, err = c.GetAgent(t.Context(), &agentv1.GetAgentRequest{AgentId: "nobody"})
	assert.Equal(t, codes.NotFound, status.Code(err))
}

// A revoked agent that knows the shared key must not have itself forgotten.
func TestARevokedAgentIsNotRemoved(t *testing.T) {
	c, f := serve(t, "open", open)
	connect(t, f)
	require.NoError(t, f.Decide(t.Context(), "web-01-10-0-2-15", store.Decision{Approval: store.Revoked}))
	_, err := c.RemoveAgent(t.Context(), &agentv1.RemoveAgentRequest{AgentId: "web-01+10.0.2.15"})
	require.Equal(t, codes.FailedPrecondition, status.Code(err))
	_, err = f.Open(t.Context(), agentsession.Peer{AgentID: "web-01-10-0-2-15"})
	require.ErrorIs(t, err, agentsession.ErrRevoked)
	require.NoError(t, f.Decide(t.Context(), "web-01-10-0-2-15", store.Decision{Approval: store.Approved}))
	answer, err := c.RemoveAgent(t.Context(), &agentv1.RemoveAgentRequest{AgentId: "web-01+10.0.2.15"})
	require.NoError(t, err)
	assert.True(t, answer.Success)
}

func TestRemoveNeedsToKnowTheCaller(t *testing.T) {
	withAuth := func(ctx context.Context) context.Context {
		return client.NewContext(ctx, client.Info{Auth: identity{}})
	}
	withPSK := func(ctx context.Context) context.Context {
		return agentsession.ContextWithPeer(ctx, agentsession.Peer{AgentID: "tool", Authentication: agentsession.AuthenticationPSK})
	}
	for name, test := range map[string]struct {
		control string
		prepare func(context.Context) context.Context
		want    codes.Code
	}{
		"anonymous":          {"auth", open, codes.PermissionDenied},
		"anonymous, open":    {"open", open, codes.OK},
		"authenticator":      {"auth", withAuth, codes.OK},
		"pre-shared key":     {"auth", withPSK, codes.OK},
		"authenticator, off": {"off", withAuth, codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			c, f := serve(t, test.control, test.prepare)
			s := connect(t, f)
			answer, err := c.RemoveAgent(t.Context(), &agentv1.RemoveAgentRequest{AgentId: "web-01+10.0.2.15"})
			require.Equal(t, test.want, status.Code(err))
			if test.want != codes.OK {
				return
			}
			assert.True(t, answer.Success)
			<-s.Done()
			again, err := c.RemoveAgent(t.Context(), &agentv1.RemoveAgentRequest{AgentId: "web-01+10.0.2.15"})
			require.NoError(t, err)
			assert.False(t, again.Success)
		})
	}
}
