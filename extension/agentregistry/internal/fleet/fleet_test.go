package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestOtherGatewaysSeeTheAgent(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	session := connect(t, one, "a")
	beat(session, "1.110")
	state := eventually(t, two, "a", "online with facts", func(s State) bool { return s.Online && s.Facts.AgentVersion == "1.110" })
	assert.Equal(t, "one", state.Live.GatewayID)
	session.Close()
	eventually(t, two, "a", "offline", offline)
	assert.Equal(t, Counts{Total: 1, Offline: 1}, two.Count())
}

func TestEndOfAnOldStreamChangesNothing(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	old := connect(t, one, "a")
	eventually(t, two, "a", "online", heldBy("one"))
	connect(t, two, "a")
	eventually(t, one, "a", "held by two", heldBy("two"))
	old.Close()
	never(t, 500*time.Millisecond, func() bool {
		seenByOne, _ := one.Get("a")
		seenByTwo, _ := two.Get("a")
		return !seenByOne.Online || !seenByTwo.Online
	})
}

func TestEndOfAnOldStreamHereChangesNothing(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	old := connect(t, f, "a")
	connect(t, f, "a")
	old.Close()
	never(t, 300*time.Millisecond, func() bool {
		state, _ := f.Get("a")
		return !state.Online
	})
}

func TestAnOldStreamThatLivesSpeaksAgainWhenTheNewOneIsGone(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	old := connect(t, f, "a")
	newer := connect(t, f, "a")
	newer.Close()
	eventually(t, f, "a", "offline", offline)
	require.Eventually(t, func() bool {
		beat(old, "1.110")
		state, _ := f.Get("a")
		return state.Online
	}, soon, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		beat(old, "1.110")
		state, _ := f.Get("a")
		return state.Live.Session != 0 && state.Facts.AgentVersion == "1.110"
	}, soon, 50*time.Millisecond)
}

func never(t *testing.T, d time.Duration, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(tick) {
		require.False(t, condition())
	}
}

// kill stops a gateway without a word, as SIGKILL does.
func kill(f *Fleet) {
	f.cancel()
	f.loops.Wait()
	f.cancel = nil
}

func TestAgentsOfAKilledGatewayTurnOfflineAndComeBack(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, brief("one")), run(t, s, quick("two"))
	connect(t, one, "a")
	eventually(t, two, "a", "online", online)
	killed := time.Now()
	kill(one)
	state := eventually(t, two, "a", "offline", offline)
	assert.WithinRange(t, state.Since, killed.Add(-one.settings.Lease), time.Now())
	connect(t, two, "a")
	eventually(t, two, "a", "held by two", heldBy("two"))
}

func TestGatewayThatWasPausedTakesANewLeaseAndKeepsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	backend := shared(t)
	paused := &shaky{Store: backend}
	one, two := run(t, paused, brief("one")), run(t, backend, quick("two"))
	connect(t, one, "stays")
	connect(t, one, "moves")
	eventually(t, two, "stays", "online", online)
	eventually(t, two, "moves", "online", online)
	first := one.Incarnation()
	paused.away.Store(true)
	eventually(t, two, "stays", "offline", offline)
	connect(t, two, "moves")
	paused.away.Store(false)
	eventually(t, two, "stays", "online again", heldBy("one"))
	assert.NotEqual(t, first, one.Incarnation(), "a lapsed lease is never revived")
	assert.Positive(t, one.Conditions().LeasesLost)
	eventually(t, one, "moves", "at two", heldBy("two"))
	never(t, 300*time.Millisecond, func() bool {
		state, _ := two.Get("moves")
		return !state.Online || state.Live.GatewayID != "two"
	})
}

func TestWithoutTheStoreAgentsAreServedAndStateCatchesUp(t *testing.T) {
	t.Parallel()
	backend := shared(t)
	away := &shaky{Store: backend}
	away.away.Store(true)
	one, two := run(t, away, quick("one")), run(t, backend, quick("two"))
	early := connect(t, one, "early")
	beat(early, "1.110")
	eventually(t, one, "early", "online", func(s State) bool { return s.Online && s.Facts.AgentVersion == "1.110" })
	require.Eventually(t, func() bool { return one.DatabaseState().State == Unavailable && one.DatabaseState().Err != nil }, soon, tick)
	away.away.Store(false)
	eventually(t, two, "early", "online with facts", func(s State) bool { return s.Online && s.Facts.AgentVersion == "1.110" })
	require.Eventually(t, func() bool { return one.DatabaseState().State == Connected }, soon, tick)

	away.away.Store(true)
	connect(t, one, "during")
	gone := connect(t, one, "came and went")
	beat(gone, "1.109")
	gone.Close()
	early.Close()
	eventually(t, one, "early", "offline here at once", offline)
	away.away.Store(false)
	eventually(t, two, "during", "online", online)
	eventually(t, two, "early", "offline", offline)
	eventually(t, two, "came and went", "offline", offline)
}

func TestStatusOfOthersIsFrozenWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	backend := shared(t)
	away := &shaky{Store: backend}
	one, two := run(t, away, quick("one")), run(t, backend, brief("two"))
	connect(t, two, "a")
	eventually(t, one, "a", "online", online)
	away.away.Store(true)
	never(t, 1500*time.Millisecond, func() bool {
		state, _ := one.Get("a")
		return !state.Online
	})
}

// Agents that are known come and go when there are as many as there may be; others are refused, however they enrol.
func TestMaxAgents(t *testing.T) {
	t.Parallel()
	for _, approval := range []bool{false, true} {
		settings := quick("one")
		settings.MaxAgents, settings.RequireApproval = 2, approval
		f := run(t, shared(t), settings)
		open := func(id string) error {
			session, err := f.Open(t.Context(), agentsession.Peer{AgentID: id})
			if err == nil {
				session.Close()
			}
			return err
		}
		for _, id := range []string{"a", "b", "a", "b"} {
			require.NotErrorIs(t, open(id), agentsession.ErrTooManyAgents)
			eventually(t, f, id, "known", func(State) bool { return true })
		}
		err := open("c")
		require.ErrorIs(t, err, agentsession.ErrTooManyAgents)
		require.ErrorContains(t, err, `agent "c"`)
		require.Eventually(t, func() bool { return f.Remove(t.Context(), "a", "ann") == nil }, soon, tick, "once it is written")
		require.NotErrorIs(t, open("c"), agentsession.ErrTooManyAgents, "there is room again")
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	s := shared(t)
	settings := quick("one")
	settings.RequireApproval = true
	one, two := run(t, s, settings), run(t, s, settings)
	peer := agentsession.Peer{AgentID: "a"}
	_, err := one.Open(t.Context(), peer)
	require.ErrorIs(t, err, agentsession.ErrApprovalRequired)
	eventually(t, two, "a", "pending", func(s State) bool { return s.Approval == store.Pending })
	assert.Equal(t, 1, two.Count().Pending)
	require.NoError(t, two.Decide(t.Context(), "a", store.Decision{Approval: store.Approved, By: "ann"}))
	var session agentsession.Session
	require.Eventually(t, func() bool {
		session, err = one.Open(t.Context(), peer)
		return err == nil
	}, soon, tick)
	defer session.Close()
	eventually(t, two, "a", "online", online)

	require.NoError(t, two.Decide(t.Context(), "a", store.Decision{Approval: store.Revoked, By: "ann"}))
	select {
	case <-session.Done():
	case <-time.After(soon):
		t.Fatal("the stream of a revoked agent stays open")
	}
	require.ErrorIs(t, session.Err(), agentsession.ErrRevoked)
	_, err = one.Open(t.Context(), peer)
	require.ErrorIs(t, err, agentsession.ErrRevoked)
	eventually(t, two, "a", "offline", offline)
}

func TestRevokedAgentThatConnectedBeforeTheStoreWasThereIsClosed(t *testing.T) {
	t.Parallel()
	backend := shared(t)
	two := run(t, backend, quick("two"))
	connect(t, two, "a").Close()
	eventually(t, two, "a", "known", func(s State) bool { return s.Live.Session != 0 })
	require.NoError(t, two.Decide(t.Context(), "a", store.Decision{Approval: store.Revoked}))
	away := &shaky{Store: backend}
	away.away.Store(true)
	one := run(t, away, quick("one"))
	session := connect(t, one, "a")
	away.away.Store(false)
	select {
	case <-session.Done():
		require.ErrorIs(t, session.Err(), agentsession.ErrRevoked)
	case <-time.After(soon):
		t.Fatal("the stream stays open")
	}
}

func TestRemovedAgentIsClosedAndMayEnrolAnew(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	session := connect(t, one, "a")
	eventually(t, two, "a", "online", online)
	require.NoError(t, two.Remove(t.Context(), "a", "ann"))
	select {
	case <-session.Done():
		require.ErrorIs(t, session.Err(), agentsession.ErrRemoved)
	case <-time.After(soon):
		t.Fatal("the stream stays open")
	}
	require.Eventually(t, func() bool {
		_, here := one.Get("a")
		_, there := two.Get("a")
		return !here && !there
	}, soon, tick)
	connect(t, one, "a")
	eventually(t, two, "a", "back", online)
}

func TestAgentThatMovesAllTheTimeEndsWhereItIs(t *testing.T) {
	t.Parallel()
	s := shared(t)
	fleets := []*Fleet{run(t, s, quick("one")), run(t, s, quick("two")), run(t, s, quick("three"))}
	var last agentsession.Session
	for i := range 40 {
		next := connect(t, fleets[i%3], "a")
		if last != nil {
			go last.Close()
		}
		last = next
		time.Sleep(50 * time.Millisecond)
	}
	for _, f := range fleets {
		eventually(t, f, "a", "at one", heldBy("one"))
	}
	never(t, 500*time.Millisecond, func() bool {
		state, _ := fleets[1].Get("a")
		return !state.Online
	})
}

func TestConcurrentUseOfASession(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	var users sync.WaitGroup
	for i := range 8 {
		users.Go(func() {
			for round := range 20 {
				f := []*Fleet{one, two}[(i+round)%2]
				session, err := f.Open(t.Context(), agentsession.Peer{AgentID: fmt.Sprint("a", i%3)})
				if !assert.NoError(t, err) {
					return
				}
				beat(session, fmt.Sprint(round))
				session.Metrics(time.Now(), int64(round))
				session.State(time.Now(), &agentv1.StateSnapshot{ConfigHash: fmt.Sprint(round)})
				session.Tailing()
				session.Close()
				session.Close()
			}
		})
	}
	users.Wait()
	for i := range 3 {
		eventually(t, one, fmt.Sprint("a", i), "offline", offline)
		eventually(t, two, fmt.Sprint("a", i), "offline", offline)
	}
}

// picky refuses one agent's facts, as a database may for a reason nobody thought of.
type picky struct{ store.Store }

func (p picky) SaveFacts(ctx context.Context, updates []store.FactsUpdate) error {
	for i := range updates {
		if updates[i].AgentID == "odd" {
			return errors.New("invalid input")
		}
	}
	return p.Store.SaveFacts(ctx, updates)
}

func TestOneAgentsOddFactsDoNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	backend := shared(t)
	one, two := run(t, picky{backend}, quick("one")), run(t, backend, quick("two"))
	beat(connect(t, one, "odd"), "1")
	beat(connect(t, one, "even"), "1")
	eventually(t, two, "even", "known", func(s State) bool { return s.Facts.AgentVersion == "1" })
	eventually(t, two, "odd", "online", online)
	require.Equal(t, Connected, one.DatabaseState().State)
}
