// Package storetest proves that a backend keeps the promises of store.Store. Every backend runs it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// lease is long enough for a slow machine.
const lease = time.Minute

// Run runs the suite. open returns an empty store, which the test closes. notifies says whether the store notifies.
func Run(t *testing.T, notifies bool, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"lease":                      testLease,
		"leave":                      testLeave,
		"sessions":                   testSessions,
		"fence":                      testFence,
		"late opening":               testLateOpening,
		"lost gateway":               testLostGateway,
		"opening without a lease":    testOpeningWithoutLease,
		"approval":                   testApproval,
		"facts":                      testFacts,
		"facts of the future":        testFutureFacts,
		"configurations":             testConfigs,
		"activities":                 testActivities,
		"removal":                    testRemoval,
		"history":                    testHistory,
		"command life":               testCommandLife,
		"command given back":         testCommandGivenBack,
		"command given back twice":   testCommandGivenBackTwice,
		"command idempotency":        testCommandIdempotency,
		"command for the holder":     testCommandForHolder,
		"command claimed once":       testCommandClaimedOnce,
		"command guards":             testCommandGuards,
		"command endings":            testCommandEndings,
		"command of a lost gateway":  testCommandOfLostGateway,
		"command that is not taken":  testCommandNotTaken,
		"update confirmed":           testUpdateConfirmed,
		"baselines":                  testBaselines,
		"retention":                  testRetention,
		"changes":                    testChanges,
		"notifications":              testNotifications,
		"hostile text":               testHostileText,
		"agents that move all along": testMoving,
	} {
		if name == "notifications" && !notifies {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() { assert.NoError(t, s.Close(context.Background())) })
			test(t, s)
		})
	}
}

// policy ends nothing.
var policy = store.SweepPolicy{Confirm: time.Hour, ConfirmUpdate: time.Hour}

func join(t *testing.T, s store.Store, id string, d time.Duration) int64 {
	t.Helper()
	incarnation, err := s.Join(t.Context(), store.Gateway{ID: id, Address: "http://192.0.2.1:5021", Version: "1.0"}, d)
	require.NoError(t, err)
	require.NotZero(t, incarnation)
	return incarnation
}

// lapse lets a gateway's lease run out, by renewing it for a moment only.
func lapse(t *testing.T, s store.Store, incarnation int64) {
	t.Helper()
	_, err := s.Sync(t.Context(), store.SyncRequest{Incarnation: incarnation, Lease: time.Millisecond})
	require.NoError(t, err)
	time.Sleep(20 * time.Millisecond)
}

func opening(id string, age time.Duration) store.Opening {
	return store.Opening{
		AgentID: id, Hostname: "host of " + id, GatewayID: "g", Address: "192.0.2.9:1234", Authentication: "psk", Age: age, Approval: store.Approved,
	}
}

func open(t *testing.T, s store.Store, incarnation int64, id string) int64 {
	t.Helper()
	opened, err := s.OpenSessions(t.Context(), incarnation, []store.Opening{opening(id, 0)})
	require.NoError(t, err)
	require.Len(t, opened, 1)
	require.Equal(t, store.Approved, opened[0].Approval)
	require.NotZero(t, opened[0].Session)
	return opened[0].Session
}

func everything(t *testing.T, s store.Store) store.Changes {
	t.Helper()
	changes, err := s.Sync(t.Context(), store.SyncRequest{})
	require.NoError(t, err)
	require.True(t, changes.Full)
	return changes
}

func live(t *testing.T, s store.Store, id string) store.Liveness {
	t.Helper()
	for _, l := range everything(t, s).Liveness {
		if l.AgentID == id {
			return l
		}
	}
	t.Fatalf("agent %q has no session", id)
	return store.Liveness{}
}

func agent(t *testing.T, s store.Store, id string) store.Agent {
	t.Helper()
	for _, a := range everything(t, s).Agents {
		if a.ID == id {
			return a
		}
	}
	t.Fatalf("agent %q is not there", id)
	return store.Agent{}
}

func kinds(t *testing.T, s store.Store, id string) []string {
	t.Helper()
	events, err := s.History(t.Context(), id, 100, 0)
	require.NoError(t, err)
	var found []string
	for i := range events {
		found = append(found, events[len(events)-1-i].Kind)
	}
	return found
}

func testFacts(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	number := open(t, s, incarnation, "a")
	facts := store.Facts{
		Hostname: "h", NginxVersion: "1.24.0", AgentVersion: "1.110", Labels: map[string]string{"env": "prod"}, IsPod: true,
		Instances: []store.Instance{{PID: "1", Version: "1.24.0", ConfPath: "/etc/nginx/nginx.conf", Status: "RUNNING"}}, StartedAt: 5,
	}
	at := time.Unix(1_700_000_000, 0)
	save := func(at time.Time, f store.Facts, change string) {
		require.NoError(t, s.SaveFacts(t.Context(), []store.FactsUpdate{{AgentID: "a", Session: number, At: at, Facts: f, Change: change}}))
	}
	save(at, facts, "first")
	a := agent(t, s, "a")
	assert.Equal(t, facts, a.Facts)
	assert.True(t, at.Equal(a.FactsAt))
	save(at.Add(-time.Minute), store.Facts{Hostname: "replayed"}, "late")
	assert.Equal(t, "h", agent(t, s, "a").Facts.Hostname, "a replayed heartbeat does not overwrite a newer one")
	save(at.Add(time.Minute), store.Facts{Hostname: "newer"}, "")
	assert.Equal(t, "newer", agent(t, s, "a").Facts.Hostname)
	assert.Equal(t, []string{"enrolled", "connected", "facts"}, kinds(t, s, "a"))
}

func testFutureFacts(t *testing.T, s store.Store) {
	number := open(t, s, join(t, s, "g", lease), "a")
	save := func(at time.Time, host string) {
		require.NoError(t, s.SaveFacts(t.Context(), []store.FactsUpdate{{AgentID: "a", Session: number, At: at, Facts: store.Facts{Hostname: host}}}))
	}
	save(time.Now().Add(24*time.Hour), "clock was wrong")
	save(time.Now(), "clock is right")
	assert.Equal(t, "clock is right", agent(t, s, "a").Facts.Hostname)
	save(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), "clock is broken")
	assert.Equal(t, "clock is broken", agent(t, s, "a").Facts.Hostname)
	save(time.Now(), "clock is right again")
	assert.Equal(t, "clock is right again", agent(t, s, "a").Facts.Hostname)
}

func testConfigs(t *testing.T, s store.Store) {
	number := open(t, s, join(t, s, "g", lease), "a")
	config := store.Config{
		Hash: "abc", ComputedAt: 7, Files: []store.File{{Kind: "site", Path: "/etc/nginx/a.conf", Hash: "1", Size: 3, ModifiedAt: 4}},
		Certificates: []store.Certificate{{Domain: "a.example", Path: "/c.pem", Hash: "2", Issuer: "ca", Expires: 99}},
	}
	summary := store.ConfigSummary{Hash: "abc", Digest: "d", CertificateExpires: 99}
	require.NoError(t, s.SaveConfigs(t.Context(), []store.ConfigUpdate{{
		AgentID: "a", Session: number, At: time.Now(), Config: config, Summary: summary, Change: "configuration abc",
	}}))
	assert.Equal(t, summary, agent(t, s, "a").Config)
	open(t, s, join(t, s, "h", lease), "silent")
	configs, err := s.Configs(t.Context(), []string{"a", "silent", "nobody"})
	require.NoError(t, err)
	assert.Equal(t, map[string]store.Config{"a": config}, configs)
	assert.Equal(t, []string{"enrolled", "connected", "config"}, kinds(t, s, "a"))
}

func testActivities(t *testing.T, s store.Store) {
	number := open(t, s, join(t, s, "g", lease), "a")
	before := everything(t, s).Now
	require.NoError(t, s.Flush(t.Context(), []store.Seen{
		{AgentID: "a", Session: number, Age: 10 * time.Second, Rates: []float32{1, 2.5, 0}},
		{AgentID: "nobody", Session: number},
	}))
	activities, err := s.Activities(t.Context())
	require.NoError(t, err)
	require.Len(t, activities, 1)
	assert.Equal(t, []float32{1, 2.5, 0}, activities[0].Rates)
	assert.Equal(t, number, activities[0].Session)
	assert.WithinRange(t, activities[0].LastSeen.Add(10*time.Second), before, everything(t, s).Now)
	require.NoError(t, s.Flush(t.Context(), []store.Seen{{AgentID: "a", Session: number}}))
	activities, err = s.Activities(t.Context())
	require.NoError(t, err)
	assert.Empty(t, activities[0].Rates)
}

func testRemoval(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	before := everything(t, s).Cursor
	create(t, s, store.Command{ID: "c", AgentID: "a", Type: store.TypeReload})
	require.NoError(t, s.Remove(t.Context(), "a", "ann"))
	require.ErrorIs(t, s.Remove(t.Context(), "a", "ann"), store.ErrNotFound)
	changes, err := s.Sync(t.Context(), store.SyncRequest{Cursor: before})
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, changes.Removed)
	assert.Empty(t, everything(t, s).Agents)
	_, err = s.Command(t.Context(), "c")
	require.ErrorIs(t, err, store.ErrNotFound)
	open(t, s, incarnation, "a")
	changes, err = s.Sync(t.Context(), store.SyncRequest{Cursor: before})
	require.NoError(t, err)
	assert.Empty(t, changes.Removed, "it is back")
	assert.Len(t, changes.Agents, 1)
	assert.Equal(t, []string{"enrolled", "connected", "command", "removed", "enrolled", "connected"}, kinds(t, s, "a"), "history outlives the agent")
}

func testHistory(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	for i := range 5 {
		open(t, s, incarnation, fmt.Sprint("a", i%2))
	}
	all, err := s.History(t.Context(), "", 100, 0)
	require.NoError(t, err)
	require.Len(t, all, 7)
	for i := 1; i < len(all); i++ {
		assert.Greater(t, all[i-1].ID, all[i].ID, "newest first")
	}
	page, err := s.History(t.Context(), "", 3, all[2].ID)
	require.NoError(t, err)
	assert.Equal(t, all[3:6], page)
	one, err := s.History(t.Context(), "a1", 100, 0)
	require.NoError(t, err)
	assert.Len(t, one, 3)
	assert.Equal(t, "g", one[0].GatewayID)
	assert.Equal(t, "192.0.2.9:1234", one[0].Detail)
	none, err := s.History(t.Context(), "nobody", 100, 0)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func testChanges(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	number := open(t, s, incarnation, "a")
	open(t, s, incarnation, "b")
	next := func(cursor store.Cursor) store.Changes {
		changes, err := s.Sync(t.Context(), store.SyncRequest{Incarnation: incarnation, Cursor: cursor})
		require.NoError(t, err)
		assert.False(t, changes.Full)
		return changes
	}
	cursor := everything(t, s).Cursor
	quiet := next(cursor)
	assert.Empty(t, quiet.Removed)
	cursor = quiet.Cursor
	require.NoError(t, s.SaveFacts(t.Context(), []store.FactsUpdate{{AgentID: "a", Session: number, At: time.Now(), Facts: store.Facts{Hostname: "x"}}}))
	changes := next(cursor)
	require.NotEmpty(t, changes.Agents, "what did not change may be told again, what did must be")
	assert.True(t, slices.ContainsFunc(changes.Agents, func(a store.Agent) bool { return a.ID == "a" && a.Facts.Hostname == "x" }))
	require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: "a", Session: number}}))
	changes = next(changes.Cursor)
	assert.True(t, slices.ContainsFunc(changes.Liveness, func(l store.Liveness) bool { return l.AgentID == "a" && !l.ClosedAt.IsZero() }))
	create(t, s, store.Command{ID: "c", AgentID: "b", Type: store.TypeReload})
	changes = next(changes.Cursor)
	require.Len(t, changes.Commands, 1)
	assert.True(t, changes.Claimable)
}

func testNotifications(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan store.Notification, 100)
	var done sync.WaitGroup
	done.Go(func() {
		err := s.Listen(ctx, func(n store.Notification) { told <- n })
		assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable), "%v", err)
	})
	wait := func(incarnation int64, do func()) {
		require.Eventually(t, func() bool {
			do()
			select {
			case n := <-told:
				return n.Incarnation == incarnation
			case <-time.After(100 * time.Millisecond):
				return false
			}
		}, 30*time.Second, time.Millisecond)
	}
	wait(0, func() { open(t, s, incarnation, "a") })
	i := 0
	wait(incarnation, func() {
		i++
		create(t, s, store.Command{ID: fmt.Sprint("c", i), AgentID: "a", Type: store.TypeReload})
	})
	cancel()
	done.Wait()
}

func testHostileText(t *testing.T, s store.Store) {
	const evil = `'; drop table agents; -- <script>alert(1)</script> {"a":"\"} \ $1 %s ` + "\u202e\x1b[31m\t"
	incarnation := join(t, s, evil, lease)
	o := opening(evil, 0)
	o.Hostname, o.Address, o.GatewayID = evil, evil, evil
	opened, err := s.OpenSessions(t.Context(), incarnation, []store.Opening{o})
	require.NoError(t, err)
	facts := store.Facts{Hostname: evil, NginxVersion: evil, Labels: map[string]string{evil: evil}, MgmtCandidates: []string{evil}}
	require.NoError(t, s.SaveFacts(t.Context(), []store.FactsUpdate{{AgentID: evil, Session: opened[0].Session, At: time.Now(), Facts: facts, Change: evil}}))
	require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: evil, Session: opened[0].Session, Reason: evil}}))
	assert.Equal(t, facts, agent(t, s, evil).Facts)
	assert.Equal(t, evil, live(t, s, evil).Address)
	events, err := s.History(t.Context(), evil, 10, 0)
	require.NoError(t, err)
	require.Len(t, events, 4)
	assert.Equal(t, evil, events[0].Detail)
	made, _, err := s.CreateCommand(t.Context(), store.Command{
		ID: evil, AgentID: evil, Type: store.TypeConfigPush, IdempotencyKey: evil, RequestedBy: evil, ExpiresIn: time.Hour,
		Parameters: store.Parameters{Files: map[string][]byte{evil: []byte("\x00\xff")}},
	})
	require.NoError(t, err)
	assert.Equal(t, []byte("\x00\xff"), made.Parameters.Files[evil])
}
