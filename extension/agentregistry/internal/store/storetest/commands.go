package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

func create(t *testing.T, s store.Store, c store.Command) store.Command {
	t.Helper()
	if c.ExpiresIn == 0 {
		c.ExpiresIn = time.Hour
	}
	made, isNew, err := s.CreateCommand(t.Context(), c)
	require.NoError(t, err)
	require.True(t, isNew)
	return made
}

func claim(t *testing.T, s store.Store, incarnation int64) []store.Command {
	t.Helper()
	commands, err := s.Claim(t.Context(), incarnation)
	require.NoError(t, err)
	return commands
}

func move(t *testing.T, s store.Store, id, agent string, state store.CommandState, result string) store.Command {
	t.Helper()
	require.NoError(t, s.UpdateCommands(t.Context(), []store.CommandUpdate{{ID: id, AgentID: agent, State: state, Result: result}}))
	c, err := s.Command(t.Context(), id)
	require.NoError(t, err)
	return c
}

func testCommandLife(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	number := open(t, s, incarnation, "a")
	made := create(t, s, store.Command{
		ID: "c", AgentID: "a", Type: store.TypeConfigPush, RequestedBy: "ann",
		Parameters: store.Parameters{VersionID: "v1", Files: map[string][]byte{"nginx.conf": []byte("events {}")}},
	})
	assert.Equal(t, store.CommandPending, made.State)
	assert.WithinDuration(t, made.RequestedAt.Add(time.Hour), made.ExpiresAt, time.Second)
	claimed := claim(t, s, incarnation)
	require.Len(t, claimed, 1)
	assert.Equal(t, made.Parameters, claimed[0].Parameters)
	assert.Equal(t, number, claimed[0].Claimed)
	assert.Equal(t, "g", claimed[0].GatewayID)
	c := move(t, s, "c", "a", store.CommandSent, "")
	assert.Equal(t, store.CommandSent, c.State)
	assert.False(t, c.SentAt.IsZero())
	assert.True(t, c.FinishedAt.IsZero())
	c = move(t, s, "c", "a", store.CommandFailed, "syntax error")
	assert.Equal(t, store.CommandFailed, c.State)
	assert.Equal(t, "syntax error", c.Result)
	assert.False(t, c.FinishedAt.IsZero())
	commands, err := s.Commands(t.Context(), "a", 10)
	require.NoError(t, err)
	assert.Equal(t, []store.Command{c}, commands)
	assert.Equal(t, []string{"enrolled", "connected", "command", "command"}, kinds(t, s, "a"))
}

func testCommandGivenBack(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	create(t, s, store.Command{ID: "c", AgentID: "a", Type: store.TypeReload})
	require.Len(t, claim(t, s, incarnation), 1)
	assert.Empty(t, claim(t, s, incarnation))
	c := move(t, s, "c", "a", store.CommandPending, "")
	assert.Zero(t, c.Claimed)
	assert.Empty(t, c.GatewayID)
	assert.Len(t, claim(t, s, incarnation), 1)
}

func testCommandGivenBackTwice(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	first := open(t, s, incarnation, "a")
	create(t, s, store.Command{ID: "c", AgentID: "a", Type: store.TypeReload})
	require.Len(t, claim(t, s, incarnation), 1)
	giveBack := []store.CommandUpdate{{ID: "c", AgentID: "a", State: store.CommandPending, Claimed: first}}
	require.NoError(t, s.UpdateCommands(t.Context(), giveBack))
	second := open(t, s, incarnation, "a")
	claimed := claim(t, s, incarnation)
	require.Len(t, claimed, 1)
	assert.Equal(t, second, claimed[0].Claimed)
	require.NoError(t, s.UpdateCommands(t.Context(), giveBack), "the answer to the first try was lost")
	assert.Empty(t, claim(t, s, incarnation), "it is being sent, and is not sent twice")
}

func testCommandIdempotency(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	open(t, s, incarnation, "b")
	create(t, s, store.Command{ID: "c1", AgentID: "a", Type: store.TypeReload, IdempotencyKey: "k"})
	again, isNew, err := s.CreateCommand(t.Context(), store.Command{ID: "c2", AgentID: "a", Type: store.TypeRestart, IdempotencyKey: "k", ExpiresIn: time.Hour})
	require.NoError(t, err)
	assert.False(t, isNew)
	assert.Equal(t, "c1", again.ID)
	create(t, s, store.Command{ID: "c3", AgentID: "b", Type: store.TypeReload, IdempotencyKey: "k"})
	create(t, s, store.Command{ID: "c4", AgentID: "a", Type: store.TypeReload})
	create(t, s, store.Command{ID: "c5", AgentID: "a", Type: store.TypeReload})
	_, _, err = s.CreateCommand(t.Context(), store.Command{ID: "c6", AgentID: "nobody", Type: store.TypeReload, ExpiresIn: time.Hour})
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Commands(t.Context(), "nobody", 1)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Command(t.Context(), "c6")
	require.ErrorIs(t, err, store.ErrNotFound)
	commands, err := s.Commands(t.Context(), "a", 2)
	require.NoError(t, err)
	require.Len(t, commands, 2)
	assert.Equal(t, "c5", commands[0].ID, "newest first")
}

func testCommandForHolder(t *testing.T, s store.Store) {
	one, two := join(t, s, "one", lease), join(t, s, "two", lease)
	number := open(t, s, one, "a")
	create(t, s, store.Command{ID: "c", AgentID: "a", Type: store.TypeReload})
	assert.Empty(t, claim(t, s, two), "only the gateway that holds the agent")
	require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: "a", Session: number}}))
	assert.Empty(t, claim(t, s, one), "not while the agent is away")
	open(t, s, two, "a")
	assert.Len(t, claim(t, s, two), 1)
	create(t, s, store.Command{ID: "late", AgentID: "a", Type: store.TypeReload, ExpiresIn: time.Millisecond})
	time.Sleep(20 * time.Millisecond)
	assert.Empty(t, claim(t, s, two), "not after the expiry")
}

func testCommandClaimedOnce(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	for i := range 20 {
		create(t, s, store.Command{ID: fmt.Sprint("c", i), AgentID: "a", Type: store.TypeReload})
	}
	var mu sync.Mutex
	claims := map[string]int{}
	var claimers sync.WaitGroup
	for range 4 {
		claimers.Go(func() {
			commands, err := s.Claim(t.Context(), incarnation)
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range commands {
				claims[c.ID]++
			}
		})
	}
	claimers.Wait()
	for _, c := range claim(t, s, incarnation) {
		claims[c.ID]++
	}
	assert.Len(t, claims, 20)
	for id, n := range claims {
		assert.Equal(t, 1, n, id)
	}
}

func testCommandGuards(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	create(t, s, store.Command{ID: "c", AgentID: "a", Type: store.TypeReload})
	require.Len(t, claim(t, s, incarnation), 1)
	assert.Equal(t, store.CommandPending, move(t, s, "c", "other", store.CommandSucceeded, "").State, "another agent's word does not count")
	assert.Equal(t, store.CommandSucceeded, move(t, s, "c", "a", store.CommandSucceeded, "").State, "a result may overtake the report of sending")
	assert.Equal(t, store.CommandSucceeded, move(t, s, "c", "a", store.CommandSent, "").State)
	assert.Equal(t, store.CommandSucceeded, move(t, s, "c", "a", store.CommandFailed, "twice").State, "the first result counts")
	require.NoError(t, s.UpdateCommands(t.Context(), []store.CommandUpdate{{ID: "unknown", AgentID: "a", State: store.CommandFailed}}))
}

func testCommandEndings(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	create(t, s, store.Command{ID: "action", AgentID: "a", Type: store.TypeReload})
	create(t, s, store.Command{ID: "update", AgentID: "a", Type: store.TypeUpdate})
	claim(t, s, incarnation)
	create(t, s, store.Command{ID: "late", AgentID: "a", Type: store.TypeReload, ExpiresIn: time.Millisecond})
	move(t, s, "action", "a", store.CommandSent, "")
	move(t, s, "update", "a", store.CommandSent, "")
	time.Sleep(50 * time.Millisecond)
	state := func(id string) store.Command {
		c, err := s.Command(t.Context(), id)
		require.NoError(t, err)
		return c
	}
	require.NoError(t, s.Sweep(t.Context(), store.SweepPolicy{Confirm: time.Millisecond, ConfirmUpdate: time.Hour}))
	assert.Equal(t, store.CommandUnconfirmed, state("action").State)
	assert.Equal(t, store.ReasonNoResult, state("action").Result)
	assert.Equal(t, store.CommandExpired, state("late").State)
	assert.Equal(t, store.CommandSent, state("update").State)
	require.NoError(t, s.Sweep(t.Context(), store.SweepPolicy{Confirm: time.Millisecond, ConfirmUpdate: time.Millisecond}))
	assert.Equal(t, store.CommandUnconfirmed, state("update").State)
	assert.Equal(t, store.CommandSucceeded, move(t, s, "action", "a", store.CommandSucceeded, "").State, "a late result is the truth")
}

func testCommandOfLostGateway(t *testing.T, s store.Store) {
	lost := join(t, s, "lost", lease)
	open(t, s, lost, "a")
	create(t, s, store.Command{ID: "c", AgentID: "a", Type: store.TypeReload})
	require.Len(t, claim(t, s, lost), 1)
	lapse(t, s, lost)
	open(t, s, join(t, s, "other", lease), "a")
	require.NoError(t, s.Sweep(t.Context(), policy))
	c, err := s.Command(t.Context(), "c")
	require.NoError(t, err)
	assert.Equal(t, store.CommandUnconfirmed, c.State, "it may have been sent, and is not sent twice")
	assert.Equal(t, store.ReasonGatewayLost, c.Result)
}

func testCommandNotTaken(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	taken, expiry := "", 200*time.Millisecond
	for i := 0; taken == ""; i++ {
		require.Less(t, i, 50)
		create(t, s, store.Command{ID: fmt.Sprint("c", i), AgentID: "a", Type: store.TypeReload, ExpiresIn: expiry})
		for _, c := range claim(t, s, incarnation) { // none when that took longer
			taken = c.ID
		}
	}
	time.Sleep(2 * expiry)
	require.NoError(t, s.Sweep(t.Context(), policy))
	c, err := s.Command(t.Context(), taken)
	require.NoError(t, err)
	assert.Equal(t, store.CommandUnconfirmed, c.State)
	assert.Equal(t, store.ReasonNotTaken, c.Result, "its gateway lives")
	c = move(t, s, taken, "a", store.CommandExpired, store.ReasonNotRead)
	assert.Equal(t, store.CommandExpired, c.State, "its gateway did not send it")
	assert.Equal(t, store.ReasonNotRead, c.Result)
}

func testUpdateConfirmed(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "a")
	for id, version := range map[string]string{"same": "v1.111", "latest": "latest", "other": "1.112"} {
		create(t, s, store.Command{ID: id, AgentID: "a", Type: store.TypeUpdate, Parameters: store.Parameters{Version: version}})
	}
	create(t, s, store.Command{ID: "reload", AgentID: "a", Type: store.TypeReload})
	claim(t, s, incarnation)
	create(t, s, store.Command{ID: "waiting", AgentID: "a", Type: store.TypeUpdate, Parameters: store.Parameters{Version: "1.111"}})
	for _, id := range []string{"latest", "other", "reload"} { // that "same" was sent too is not written yet
		move(t, s, id, "a", store.CommandSent, "")
	}
	require.NoError(t, s.ConfirmUpdates(t.Context(), "a", "1.111"))
	for id, want := range map[string]store.CommandState{
		"same": store.CommandSucceeded, "latest": store.CommandSucceeded, "other": store.CommandSent, "reload": store.CommandSent, "waiting": store.CommandPending,
	} {
		c, err := s.Command(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, c.State, id)
	}
}

func testBaselines(t *testing.T, s store.Store) {
	b := store.Baseline{
		Name: "prod", Labels: map[string]string{"env": "prod"}, Files: []store.File{{Kind: "main", Path: "nginx.conf", Hash: "1"}}, Digest: "d", CreatedBy: "ann",
	}
	made, err := s.PutBaseline(t.Context(), b)
	require.NoError(t, err)
	assert.False(t, made.CreatedAt.IsZero())
	found, err := s.Baseline(t.Context(), "prod")
	require.NoError(t, err)
	assert.True(t, made.CreatedAt.Equal(found.CreatedAt))
	found.CreatedAt, made.CreatedAt = time.Time{}, time.Time{}
	assert.Equal(t, made, found)
	b.Name, b.Reference, b.Files = "other", "agent", nil
	_, err = s.PutBaseline(t.Context(), b)
	require.NoError(t, err)
	b.Reference = "another"
	_, err = s.PutBaseline(t.Context(), b)
	require.NoError(t, err)
	all := everything(t, s).Baselines
	require.Len(t, all, 2)
	assert.Equal(t, "other", all[0].Name)
	assert.Equal(t, "another", all[0].Reference)
	assert.Empty(t, all[1].Files, "lists are without files")
	require.NoError(t, s.DeleteBaseline(t.Context(), "prod", "ann"))
	require.ErrorIs(t, s.DeleteBaseline(t.Context(), "prod", "ann"), store.ErrNotFound)
	_, err = s.Baseline(t.Context(), "prod")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testRetention(t *testing.T, s store.Store) {
	incarnation := join(t, s, "g", lease)
	open(t, s, incarnation, "online")
	open(t, s, incarnation, "revoked")
	for _, id := range []string{"offline", "revoked"} {
		number := open(t, s, incarnation, id)
		require.NoError(t, s.CloseSessions(t.Context(), []store.Closing{{AgentID: id, Session: number, Age: time.Hour}}))
	}
	_, err := s.Decide(t.Context(), "revoked", store.Decision{Approval: store.Revoked})
	require.NoError(t, err)
	time.Sleep(50 * time.Millisecond)
	keep := policy
	keep.AgentRetention, keep.HistoryRetention = 40*time.Millisecond, time.Hour
	require.NoError(t, s.Sweep(t.Context(), keep))
	var left []string
	for _, a := range everything(t, s).Agents {
		left = append(left, a.ID)
	}
	assert.ElementsMatch(t, []string{"online", "revoked"}, left, "a revoked agent must not come back by being forgotten")
	assert.Contains(t, kinds(t, s, "offline"), "removed")

	for range 10 {
		open(t, s, incarnation, "online")
	}
	keep = policy
	keep.HistoryPerAgent = 3
	require.NoError(t, s.Sweep(t.Context(), keep))
	assert.Len(t, kinds(t, s, "online"), 3)
	keep.HistoryRetention = time.Millisecond
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, s.Sweep(t.Context(), keep))
	assert.Empty(t, kinds(t, s, "online"))
}
