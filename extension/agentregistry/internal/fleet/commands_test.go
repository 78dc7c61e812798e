package fleet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func ask(t *testing.T, f *Fleet, c store.Command) {
	t.Helper()
	c.AgentID = "a"
	_, isNew, err := f.CreateCommand(t.Context(), c)
	require.NoError(t, err)
	require.True(t, isNew)
}

func receive(t *testing.T, s agentsession.Session) *agentv1.ServerCommand {
	t.Helper()
	select {
	case c, open := <-s.Commands():
		require.True(t, open, "the session is over")
		return c
	case <-time.After(soon):
		t.Fatal("no command came")
		return nil
	}
}

func becomes(t *testing.T, f *Fleet, id string, state store.CommandState) store.Command {
	t.Helper()
	var c store.Command
	require.Eventually(t, func() bool {
		found, err := f.store.Command(t.Context(), id)
		c = found
		return err == nil && found.State == state
	}, soon, tick, "command %s never becomes %s", id, state)
	return c
}

func TestCommandFromAnotherGateway(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	session := connect(t, one, "a")
	eventually(t, two, "a", "online", online)
	for id, c := range map[string]store.Command{
		"RELOAD": {Type: store.TypeReload}, "RESTART": {Type: store.TypeRestart},
	} {
		c.ID = id
		ask(t, two, c)
		sent := receive(t, session)
		assert.Equal(t, id, sent.CommandId)
		assert.Equal(t, id, sent.GetAction().GetType())
		session.CommandSent(id, nil)
		becomes(t, two, id, store.CommandSent)
	}
	session.CommandResult(&agentv1.CommandResult{CommandId: "RELOAD", Success: true})
	becomes(t, two, "RELOAD", store.CommandSucceeded)
	session.CommandResult(&agentv1.CommandResult{CommandId: "RESTART", ErrorMessage: "no\x00pe"})
	assert.Equal(t, "no\uFFFDpe", becomes(t, two, "RESTART", store.CommandFailed).Result)
}

func TestCommandPayloads(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	ask(t, f, store.Command{ID: "u", Type: store.TypeUpdate, Parameters: store.Parameters{Version: "1.111", URL: "https://x"}})
	assert.Equal(t, "https://x", receive(t, session).GetUpdate().GetUpdateUrl())
	ask(t, f, store.Command{ID: "p", Type: store.TypeConfigPush, Parameters: store.Parameters{VersionID: "v", Files: map[string][]byte{"f": {0, 255}}}})
	assert.Equal(t, []byte{0, 255}, receive(t, session).GetConfigPush().GetFiles()["f"])
	ask(t, f, store.Command{ID: "l", Type: store.TypeLogRequest, Parameters: store.Parameters{LogType: "error", TailLines: 5}})
	request := receive(t, session).GetLogRequest()
	assert.Equal(t, "a", request.GetInstanceId())
	assert.Equal(t, int32(5), request.GetTailLines())
	assert.Equal(t, "error", request.GetLogType())
}

func TestCommandThatWasNotWrittenIsSentAgain(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	first := connect(t, f, "a")
	eventually(t, f, "a", "registered", func(s State) bool { return s.Live.Session != 0 })
	ask(t, f, store.Command{ID: "c", Type: store.TypeReload})
	receive(t, first)
	first.CommandSent("c", errors.New("the stream broke"))
	assert.Equal(t, "c", receive(t, first).CommandId, "given back and handed out again")
	first.CommandSent("c", nil)
	becomes(t, f, "c", store.CommandSent)

	ask(t, f, store.Command{ID: "untouched", Type: store.TypeReload})
	require.Eventually(t, func() bool { return len(first.Commands()) == 1 }, soon, tick)
	first.Close()
	second := connect(t, f, "a")
	assert.Equal(t, "untouched", receive(t, second).CommandId, "the receiver never took it")
}

func TestCommandTakenButNotReportedIsUnconfirmed(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	ask(t, f, store.Command{ID: "c", Type: store.TypeRestart})
	receive(t, session)
	session.Close()
	assert.NotEmpty(t, becomes(t, f, "c", store.CommandUnconfirmed).Result)
}

// TestACommandThatExpiredBeforeItWasSent because the agent did not read.
func TestACommandThatExpiredBeforeItWasSent(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	ask(t, f, store.Command{ID: "in time", Type: store.TypeReload})
	ask(t, f, store.Command{ID: "late", Type: store.TypeReload, ExpiresIn: 3 * time.Second})
	for range 2 {
		assert.True(t, session.Due(receive(t, session).CommandId))
	}
	require.Eventually(t, func() bool { return !session.Due("late") }, soon, tick)
	assert.Equal(t, store.ReasonNotRead, becomes(t, f, "late", store.CommandExpired).Result)
	assert.True(t, session.Due("in time"))
	session.CommandSent("in time", nil)
	becomes(t, f, "in time", store.CommandSent)
}

func TestMoreCommandsThanTheReceiverTakes(t *testing.T) {
	t.Parallel()
	s := &shaky{Store: shared(t)}
	f := run(t, s, quick("one"))
	session := connect(t, f, "a")
	start := time.Now()
	const many = 40
	for i := range many {
		ask(t, f, store.Command{ID: string(rune('A' + i)), Type: store.TypeReload})
	}
	require.Eventually(t, func() bool { return s.updates.Load() > many }, soon, tick, "what is left over is given back, and claimed again")
	tries := int64(time.Since(start)/retry) + 1
	assert.LessOrEqual(t, s.updates.Load(), many*tries, "but not all the time")
	seen := map[string]int{}
	for range many {
		id := receive(t, session).CommandId
		seen[id]++
		session.CommandSent(id, nil)
	}
	assert.Len(t, seen, many)
}

func TestUpdateIsProvedByTheNewVersion(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	session := connect(t, one, "a")
	beat(session, "1.110")
	ask(t, one, store.Command{ID: "u", Type: store.TypeUpdate, Parameters: store.Parameters{Version: "v1.111", URL: "https://x"}})
	receive(t, session)
	session.CommandSent("u", nil)
	becomes(t, one, "u", store.CommandSent)
	eventually(t, two, "a", "known with its version", func(s State) bool { return s.Facts.AgentVersion == "1.110" })
	session.Close()
	again := connect(t, two, "a")
	again.Heartbeat(time.Now().Add(2*time.Second), &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0", AgentVersion: "1.111", Labels: map[string]string{"env": "prod"}})
	becomes(t, two, "u", store.CommandSucceeded)
}

func TestStaleResultOfAnotherAgentIsIgnored(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session, other := connect(t, f, "a"), connect(t, f, "b")
	ask(t, f, store.Command{ID: "c", Type: store.TypeReload})
	receive(t, session)
	session.CommandSent("c", nil)
	other.CommandResult(&agentv1.CommandResult{CommandId: "c", Success: true})
	session.CommandResult(&agentv1.CommandResult{CommandId: "c", ErrorMessage: "truth"})
	assert.Equal(t, "truth", becomes(t, f, "c", store.CommandFailed).Result)
}

// An agent may send results that nobody asked for, as many as it likes, also while the database is away.
func TestAFloodOfResultsIsBounded(t *testing.T) {
	t.Parallel()
	s := &shaky{Store: shared(t)}
	f := run(t, s, quick("one"))
	session, other := connect(t, f, "a"), connect(t, f, "b")
	eventually(t, f, "b", "registered", func(s State) bool { return s.Live.Session != 0 })
	_, _, err := f.CreateCommand(t.Context(), store.Command{ID: "of b", AgentID: "b", Type: store.TypeReload})
	require.NoError(t, err)
	receive(t, other)
	s.away.Store(true)
	other.CommandSent("of b", nil)
	for i := range 100 * maxMoves {
		session.CommandResult(&agentv1.CommandResult{CommandId: fmt.Sprint(i)})
	}
	other.CommandResult(&agentv1.CommandResult{CommandId: "of b", Success: true})
	f.moves.mu.Lock()
	assert.LessOrEqual(t, len(f.moves.queue), 2*maxMoves)
	f.moves.mu.Unlock()
	s.away.Store(false)
	becomes(t, f, "of b", store.CommandSucceeded)
	require.Eventually(t, func() bool { return !f.moves.waiting() }, soon, tick)
	session.CommandResult(&agentv1.CommandResult{CommandId: "one more"})
	require.Eventually(t, func() bool { return !f.moves.waiting() }, soon, tick)
}

func TestWatchersSeeChanges(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	w := two.Watch()
	defer w.Close()
	session := connect(t, one, "a")
	saw := map[string]bool{}
	deadline := time.After(soon)
	steps := []func(){
		func() { ask(t, two, store.Command{ID: "c", Type: store.TypeReload}) },
		func() { session.CommandSent(receive(t, session).CommandId, nil) },
		func() { session.Close() },
		func() { require.NoError(t, one.Remove(t.Context(), "a", "")) },
	}
	for step, want := range []string{"online", "command pending", "command sent", "offline", "removed"} {
		for !saw[want] {
			select {
			case event := <-w.Events():
				note(saw, event)
			case <-deadline:
				t.Fatalf("%q never came: %v", want, saw)
			}
		}
		if step < len(steps) {
			steps[step]()
		}
	}
	assert.True(t, saw["gateways"])
}

func note(saw map[string]bool, event any) {
	switch event := event.(type) {
	case ChangedAgents:
		for i := range event {
			saw[ifElse(event[i].Online, "online", "offline")] = true
		}
	case RemovedAgents:
		saw["removed"] = true
	case store.Command:
		saw["command "+string(event.State)] = true
	case ChangedGateways:
		saw["gateways"] = true
	}
}

func TestSlowWatcherIsToldThatItMissedEvents(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	w := f.Watch()
	defer w.Close()
	for range 3 * watcherQueue {
		f.hub.publish(RemovedAgents{"x"})
	}
	<-w.Events()
	require.Eventually(t, func() bool {
		select {
		case event := <-w.Events():
			_, missed := event.(Missed)
			return missed
		default:
			f.hub.publish(RemovedAgents{"y"})
			return false
		}
	}, soon, tick)
}
