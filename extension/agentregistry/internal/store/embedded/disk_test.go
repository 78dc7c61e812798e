package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// fragile is a storage client that fails when told to, which no real one does on demand.
type fragile struct {
	storage.Client
	mu     sync.Mutex
	values map[string][]byte
	broken bool
}

func (f *fragile) Get(_ context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.values[key], nil
}

func (f *fragile) Batch(_ context.Context, operations ...*storage.Operation) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return errors.New("disk full")
	}
	for _, o := range operations {
		if o.Type == storage.Delete {
			delete(f.values, o.Key)
		} else {
			f.values[o.Key] = o.Value
		}
	}
	return nil
}

func (f *fragile) Close(context.Context) error { return nil }

func (f *fragile) fail(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

func (f *fragile) copy() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.values)
}

// fill has something of everything.
func fill(t *testing.T, s *Store) (incarnation, session int64) {
	t.Helper()
	ctx := t.Context()
	incarnation, err := s.Join(ctx, store.Gateway{ID: "g"}, time.Minute)
	require.NoError(t, err)
	for i := range 3 {
		opened, err := s.OpenSessions(ctx, incarnation, []store.Opening{{AgentID: fmt.Sprint("a", i), GatewayID: "g", Approval: store.Approved}})
		require.NoError(t, err)
		session = opened[0].Session
	}
	require.NoError(t, s.SaveFacts(ctx, []store.FactsUpdate{{AgentID: "a2", Session: session, At: time.Now(), Facts: store.Facts{Hostname: "h", Labels: map[string]string{"a": "b"}}}}))
	require.NoError(t, s.SaveConfigs(ctx, []store.ConfigUpdate{{
		AgentID: "a2", Session: session, At: time.Now(), Config: store.Config{Hash: "x", Files: []store.File{{Path: "p"}}}, Summary: store.ConfigSummary{Digest: "d"},
	}}))
	require.NoError(t, s.Flush(ctx, []store.Seen{{AgentID: "a2", Session: session, Rates: []float32{1.5}}}))
	_, _, err = s.CreateCommand(ctx, store.Command{ID: "c", AgentID: "a2", Type: store.TypeReload, ExpiresIn: time.Hour})
	require.NoError(t, err)
	_, err = s.PutBaseline(ctx, store.Baseline{Name: "b", Files: []store.File{{Path: "p"}}})
	require.NoError(t, err)
	require.NoError(t, s.Remove(ctx, "a1", "ann"))
	return incarnation, session
}

func TestEverythingSurvivesARestart(t *testing.T) {
	client := &fragile{values: map[string][]byte{}}
	first, err := Open(t.Context(), client, func(error) {})
	require.NoError(t, err)
	_, session := fill(t, first)
	history, err := first.History(t.Context(), "", 100, 0)
	require.NoError(t, err)
	require.NoError(t, first.Close(t.Context()))
	require.NoError(t, first.Close(t.Context()))

	second, err := Open(t.Context(), client, func(error) {})
	require.NoError(t, err)
	defer func() { assert.NoError(t, second.Close(context.Background())) }()
	all, err := second.Sync(t.Context(), store.SyncRequest{})
	require.NoError(t, err)
	assert.Len(t, all.Agents, 2)
	assert.Len(t, all.Baselines, 1)
	for _, l := range all.Liveness {
		assert.False(t, l.ClosedAt.IsZero(), "sessions ended with the process")
		if l.AgentID == "a2" {
			assert.Equal(t, []float32{1.5}, l.Rates)
		}
	}
	configs, err := second.Configs(t.Context(), []string{"a2"})
	require.NoError(t, err)
	assert.Equal(t, "x", configs["a2"].Hash)
	c, err := second.Command(t.Context(), "c")
	require.NoError(t, err)
	assert.Equal(t, store.CommandPending, c.State)
	b, err := second.Baseline(t.Context(), "b")
	require.NoError(t, err)
	assert.Len(t, b.Files, 1)
	kept, err := second.History(t.Context(), "", 100, 0)
	require.NoError(t, err)
	require.Len(t, kept, len(history))
	assert.Equal(t, "removed", kept[0].Kind, "also of agents that are gone")
	incarnation, err := second.Join(t.Context(), store.Gateway{ID: "g"}, time.Minute)
	require.NoError(t, err)
	assert.Greater(t, incarnation, session, "fences are never given twice")
}

func TestACrashLosesAtMostASecond(t *testing.T) {
	client := &fragile{values: map[string][]byte{}}
	first, err := Open(t.Context(), client, func(error) {})
	require.NoError(t, err)
	defer func() { assert.NoError(t, first.Close(context.Background())) }()
	fill(t, first)
	require.Eventually(t, func() bool { return len(client.copy()) >= 5 }, 30*time.Second, 10*time.Millisecond)
	second, err := Open(t.Context(), &fragile{values: client.copy()}, func(error) {})
	require.NoError(t, err)
	defer func() { assert.NoError(t, second.Close(context.Background())) }()
	all, err := second.Sync(t.Context(), store.SyncRequest{})
	require.NoError(t, err)
	assert.Len(t, all.Agents, 2)
}

func TestFailedWritesAreReportedAndTriedAgain(t *testing.T) {
	client := &fragile{values: map[string][]byte{}}
	client.fail(true)
	reported := make(chan error, 10)
	s, err := Open(t.Context(), client, func(err error) { reported <- err })
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close(context.Background())) }()
	fill(t, s)
	require.ErrorContains(t, <-reported, "disk full")
	client.fail(false)
	require.Eventually(t, func() bool { return client.copy()[agentPrefix+"a2"] != nil }, 30*time.Second, 10*time.Millisecond)
}

// What cannot be encoded is reported, and neither empties what is on disk nor keeps the rest from it.
func TestWhatCannotBeEncoded(t *testing.T) {
	client := &fragile{values: map[string][]byte{}}
	reported := make(chan error, 100)
	s, err := Open(t.Context(), client, func(err error) { reported <- err })
	require.NoError(t, err)
	defer func() { assert.Error(t, s.Close(context.Background())) }()
	_, session := fill(t, s)
	require.Eventually(t, func() bool { return client.copy()[agentPrefix+"a2"] != nil }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, s.SaveFacts(t.Context(), []store.FactsUpdate{{AgentID: "a2", Session: session, At: time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)}}))
	_, err = s.PutBaseline(t.Context(), store.Baseline{Name: "later"})
	require.NoError(t, err)
	require.ErrorContains(t, <-reported, `encode "agent/a2"`)
	require.Eventually(t, func() bool { return strings.Contains(string(client.copy()[baselinesKey]), "later") }, 30*time.Second, 10*time.Millisecond)
	assert.Contains(t, string(client.copy()[agentPrefix+"a2"]), `"hostname":"h"`)
}

func TestDamagedStorageIsReported(t *testing.T) {
	_, err := Open(t.Context(), &fragile{values: map[string][]byte{indexKey: []byte("{")}}, func(error) {})
	require.ErrorContains(t, err, "index")
}
