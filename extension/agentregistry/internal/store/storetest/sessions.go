package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

func testLease(t *testing.T, s store.Store) {
	long, short := join(t, s, "long", lease), join(t, s, "short", lease)
	assert.NotEqual(t, long, short)
	load := store.Load{Agents: 3, MessagesPerSecond: 1.5, Goroutines: 9, MemoryBytes: 1 << 20}
	changes, err := s.Sync(t.Context(), store.SyncRequest{Incarnation: long, Lease: lease, Load: load})
	require.NoError(t, err)
	require.Len(t, changes.Gateways, 2)
	for _, g := range changes.Gateways {
		assert.Positive(t, g.LeaseLeft)
		if g.Incarnation == long {
			assert.Equal(t, "long", g.ID)
			assert.Equal(t, "1.0", g.Version)
			assert.Equal(t, load, g.Load)
			assert.WithinDuration(t, changes.Now, g.StartedAt, lease)
		}
	}
	lapse(t, s, short)
	_, err = s.Sync(t.Context(), store.SyncRequest{Incarnation: short, Lease: lease})
	require.ErrorIs(t, err, store.ErrLeaseLost)
	_, err = s.Sync(t.Context(), store.SyncRequest{Incarnation: short, Lease: lease})
	require.ErrorIs(t, err, store.ErrLeaseLost, "a lapsed lease is never revived")
	_, err = s.Sync(t.Context(), store.SyncRequest{Incarnation: short})
	require.NoError(t, err, "looking needs no lease")
}

func testLeave(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	require.NoError(t, s.Leave(t.Context(), incarnation))
	assert.False(t, live(t, s, "a").ClosedAt.IsZero())
	assert.Empty(t, everything(t, s).Gateways)
	assert.Equal(t, []string{"enrolled", "connected", "disconnected"}, kinds(t, s, "a"))
}

func testSessions(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	number := open(t, s, incarnation, "a")
	l := live(t, s, "a")
	assert.Equal(t, number, l.Session)
	assert.Equal(t, incarnation, l.Incarnation)
	assert.Equal(t, "192.0.2.9:1234", l.Address)
	assert.Equal(t, "psk", l.Authentication)
	assert.Equal(t, "g", l.GatewayID)
	assert.True(t, l.ClosedAt.IsZero())
	a := agent(t, s, "a")
	assert.Equal(t, store.Approved, a.Approval)
	assert.Equal(t, "host of a", a.Facts.Hostname)
	assert.True(t, a.FactsAt.IsZero())

	before := everything(t, s).Now
	require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: "a", Session: number, Age: time.Second, SeenAge: 2 * time.Second, Reason: "over"}}))
	l = live(t, s, "a")
	now := everything(t, s).Now
	assert.WithinRange(t, l.ClosedAt.Add(time.Second), before, now)
	assert.WithinRange(t, l.LastSeen.Add(2*time.Second), before, now)
	assert.Equal(t, []string{"enrolled", "connected", "disconnected"}, kinds(t, s, "a"))
	assert.Greater(t, open(t, s, incarnation, "a"), number, "fences grow")
}

func testFence(t *testing.T, s store.Store) {
	one, two := join(t, s, "one", lease), join(t, s, "two", lease)
	old := open(t, s, one, "a")
	newer := open(t, s, two, "a")
	require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: "a", Session: old}}))
	require.NoError(t, s.Flush(t.Context(), []store.Seen{{AgentID: "a", Session: old, Rates: []float32{9}}}))
	require.NoError(t, s.SaveFacts(t.Context(), []store.FactsUpdate{{AgentID: "a", Session: old, At: time.Now(), Facts: store.Facts{Hostname: "old"}, Change: "x"}}))
	require.NoError(t, s.SaveConfigs(t.Context(), []store.ConfigUpdate{{AgentID: "a", Session: old, At: time.Now(), Summary: store.ConfigSummary{Digest: "old"}}}))
	l := live(t, s, "a")
	assert.Equal(t, newer, l.Session)
	assert.Equal(t, two, l.Incarnation)
	assert.True(t, l.ClosedAt.IsZero(), "the end of an old stream does not end a newer session")
	assert.Empty(t, l.Rates)
	assert.Equal(t, "host of a", agent(t, s, "a").Facts.Hostname)
	assert.Empty(t, agent(t, s, "a").Config.Digest)
}

func testLateOpening(t *testing.T, s store.Store) {
	one, two := join(t, s, "one", lease), join(t, s, "two", lease)
	newer := open(t, s, two, "a")
	opened, err := s.OpenSessions(t.Context(), one, []store.Opening{opening("a", time.Hour)})
	require.NoError(t, err)
	assert.Zero(t, opened[0].Session, "a stream that is older does not replace a live one")
	assert.Equal(t, newer, live(t, s, "a").Session)

	require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: "a", Session: newer}}))
	opened, err = s.OpenSessions(t.Context(), one, []store.Opening{opening("a", time.Hour)})
	require.NoError(t, err)
	assert.NotZero(t, opened[0].Session, "it replaces one that has ended")
	assert.True(t, live(t, s, "a").ClosedAt.IsZero())
}

func testLostGateway(t *testing.T, s store.Store) {
	lost, other := join(t, s, "lost", lease), join(t, s, "other", lease)
	open(t, s, lost, "a")
	open(t, s, lost, "b")
	lapse(t, s, lost)
	opened, err := s.OpenSessions(t.Context(), other, []store.Opening{opening("b", time.Hour)})
	require.NoError(t, err)
	require.NotZero(t, opened[0].Session, "a session of a lost gateway is no rival")
	require.NoError(t, s.Sweep(t.Context(), policy))
	assert.False(t, live(t, s, "a").ClosedAt.IsZero())
	assert.True(t, live(t, s, "b").ClosedAt.IsZero())
	assert.Equal(t, "gateway_lost", kinds(t, s, "a")[2])
	for _, g := range everything(t, s).Gateways {
		assert.Equal(t, g.Incarnation == other, g.LeaseLeft > 0)
	}
}

func testOpeningWithoutLease(t *testing.T, s store.Store) {
	lost := join(t, s, "lost", lease)
	lapse(t, s, lost)
	_, err := s.OpenSessions(t.Context(), lost, []store.Opening{opening("a", 0)})
	require.ErrorIs(t, err, store.ErrLeaseLost)
	assert.Empty(t, everything(t, s).Agents)
}

func testApproval(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	waiting := opening("a", 0)
	waiting.Approval = store.Pending
	try := func() store.Opened {
		opened, err := s.OpenSessions(t.Context(), incarnation, []store.Opening{waiting})
		require.NoError(t, err)
		return opened[0]
	}
	assert.Equal(t, store.Opened{Approval: store.Pending}, try())
	assert.Empty(t, everything(t, s).Liveness)
	a, err := s.Decide(t.Context(), "a", store.Decision{Approval: store.Approved, By: "ann", Reason: "known"})
	require.NoError(t, err)
	assert.Equal(t, store.Approved, a.Approval)
	require.NotNil(t, a.Decision)
	assert.Equal(t, "ann", a.Decision.By)
	assert.Equal(t, "known", a.Decision.Reason)
	assert.WithinDuration(t, everything(t, s).Now, a.Decision.At, time.Minute)
	assert.NotZero(t, try().Session)
	_, err = s.Decide(t.Context(), "a", store.Decision{Approval: store.Revoked, By: "bob"})
	require.NoError(t, err)
	assert.Equal(t, store.Opened{Approval: store.Revoked}, try())
	assert.Equal(t, []string{"enrolled", "approved", "connected", "revoked"}, kinds(t, s, "a"))
	_, err = s.Decide(t.Context(), "nobody", store.Decision{Approval: store.Revoked})
	require.ErrorIs(t, err, store.ErrNotFound)
}
