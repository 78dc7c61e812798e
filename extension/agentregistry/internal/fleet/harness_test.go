package fleet

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/embedded"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	soon = 30 * time.Second
	tick = 5 * time.Millisecond
)

// shaky is a store whose connection can be cut: what a database that is away looks like from here.
type shaky struct {
	store.Store
	away atomic.Bool
	// updates counts moves of commands.
	updates atomic.Int64
}

var errCut = errors.Join(store.ErrUnavailable, errors.New("cut"))

func (s *shaky) check() error {
	if s.away.Load() {
		return errCut
	}
	return nil
}

func (s *shaky) Join(ctx context.Context, g store.Gateway, lease time.Duration) (int64, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	return s.Store.Join(ctx, g, lease)
}

func (s *shaky) Sync(ctx context.Context, r store.SyncRequest) (store.Changes, error) {
	if err := s.check(); err != nil {
		return store.Changes{}, err
	}
	return s.Store.Sync(ctx, r)
}

func (s *shaky) OpenSessions(ctx context.Context, n int64, o []store.Opening) ([]store.Opened, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.OpenSessions(ctx, n, o)
}

func (s *shaky) CloseSessions(ctx context.Context, c []store.Closing) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.CloseSessions(ctx, c)
}

func (s *shaky) SaveFacts(ctx context.Context, u []store.FactsUpdate) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.SaveFacts(ctx, u)
}

func (s *shaky) UpdateCommands(ctx context.Context, u []store.CommandUpdate) error {
	if err := s.check(); err != nil {
		return err
	}
	s.updates.Add(int64(len(u)))
	return s.Store.UpdateCommands(ctx, u)
}

func (s *shaky) Sweep(ctx context.Context, p store.SweepPolicy) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.Sweep(ctx, p)
}

func quick(id string) Settings {
	return Settings{
		GatewayID: id, Address: "http://" + id, Version: "1.0", Lease: time.Minute, Renew: 100 * time.Millisecond,
		FlushInterval: 100 * time.Millisecond, SweepInterval: 100 * time.Millisecond, OperationTimeout: 5 * time.Second, CommandExpiry: time.Minute,
		Policy: store.SweepPolicy{Confirm: time.Minute, ConfirmUpdate: time.Minute, HistoryPerAgent: 100},
	}
}

// brief are settings for a gateway whose lease is to run out.
func brief(id string) Settings {
	s := quick(id)
	s.Lease = time.Second
	return s
}

// run starts a gateway's fleet on a store.
func run(t *testing.T, s store.Store, settings Settings) *Fleet {
	t.Helper()
	f := New(settings, s, zaptest.NewLogger(t), func(Database) {}, func() store.Load { return store.Load{Agents: 1} })
	f.Start()
	t.Cleanup(func() { assert.NoError(t, f.Shutdown(context.Background())) })
	return f
}

func shared(t *testing.T) *embedded.Store {
	t.Helper()
	s := embedded.New()
	t.Cleanup(func() { assert.NoError(t, s.Close(context.Background())) })
	return s
}

func connect(t *testing.T, f *Fleet, id string) agentsession.Session {
	t.Helper()
	s, err := f.Open(t.Context(), agentsession.Peer{AgentID: id, Address: "192.0.2.1:9", Authentication: agentsession.AuthenticationNone})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func beat(s agentsession.Session, version string) {
	s.Heartbeat(time.Now(), &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0", AgentVersion: version, Labels: map[string]string{"env": "prod"}})
}

// eventually waits until the agent is what it should be, as this gateway sees it.
func eventually(t *testing.T, f *Fleet, id, what string, is func(State) bool) State {
	t.Helper()
	var state State
	require.Eventually(t, func() bool {
		s, ok := f.Get(id)
		state = s
		return ok && is(s)
	}, soon, tick, "agent %s is never %s at %s", id, what, f.settings.GatewayID)
	return state
}

func online(s State) bool  { return s.Online }
func offline(s State) bool { return !s.Online }

func heldBy(gateway string) func(State) bool {
	return func(s State) bool { return s.Online && s.Live.GatewayID == gateway }
}
