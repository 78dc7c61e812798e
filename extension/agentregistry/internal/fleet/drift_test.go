package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// TestWatchersSeeDriftThatOthersBringAbout: an agent's drift changes although it did nothing.
func TestWatchersSeeDriftThatOthersBringAbout(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	reference, other := connect(t, one, "reference"), connect(t, one, "other")
	configure := func(hash string) *agentv1.StateSnapshot {
		return &agentv1.StateSnapshot{ConfigHash: hash, ConfigHashes: &agentv1.ConfigHashes{MainConfHash: hash, ComputedAt: time.Now().Unix()}}
	}
	reference.State(time.Now(), configure("a"))
	other.State(time.Now(), configure("a"))
	eventually(t, two, "other", "configured", func(s State) bool { return s.Agent.Config.Hash == "a" })
	eventually(t, two, "reference", "configured", func(s State) bool { return s.Agent.Config.Hash == "a" })
	w := two.Watch()
	defer w.Close()

	_, err := s.PutBaseline(t.Context(), store.Baseline{Name: "b", Reference: "reference"})
	require.NoError(t, err)
	comes(t, w, InSync)
	reference.State(time.Now().Add(time.Second), configure("b"))
	comes(t, w, Drifted)
	require.NoError(t, s.DeleteBaseline(t.Context(), "b", ""))
	comes(t, w, NoBaseline)
}

// comes waits until a watcher is told of the other agent's drift.
func comes(t *testing.T, w *Watcher, drift string) {
	t.Helper()
	for deadline := time.After(soon); ; {
		select {
		case event := <-w.Events():
			agents, _ := event.(ChangedAgents)
			for i := range agents {
				if agents[i].ID == "other" && agents[i].Drift == drift {
					return
				}
			}
		case <-deadline:
			t.Fatalf("the watcher was not told that the agent is %q", drift)
		}
	}
}
