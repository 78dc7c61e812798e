package fleet

import (
	"context"
	"sync"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// moves are the steps of commands that wait to be written. They have a lock of their own, as sessions report them.
type moves struct {
	mu    sync.Mutex
	queue []store.CommandUpdate
	// ofAgent counts the queue by agent.
	ofAgent map[string]int
}

// maxMoves bounds the moves of one agent's commands that wait when it sends results: those that nobody asked for are no reason to hold
// more and more, nor to keep the database busy.
const maxMoves = 100

// add puts moves behind the others.
func (m *moves) add(updates ...store.CommandUpdate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, updates...)
	m.count(updates)
}

// addResult adds a result unless too many of the agent's moves wait.
func (m *moves) addResult(update store.CommandUpdate) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ofAgent[update.AgentID] >= maxMoves {
		return false
	}
	m.queue = append(m.queue, update)
	m.count([]store.CommandUpdate{update})
	return true
}

func (m *moves) count(updates []store.CommandUpdate) {
	if m.ofAgent == nil {
		m.ofAgent = map[string]int{}
	}
	for i := range updates {
		m.ofAgent[updates[i].AgentID]++
	}
}

func (m *moves) waiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) > 0
}

func (m *moves) take() []store.CommandUpdate {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue, m.ofAgent = nil, nil
	return queue
}

// putBack keeps the order: what failed comes before what followed.
func (m *moves) putBack(updates []store.CommandUpdate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(updates, m.queue...)
	m.count(updates)
}

func (f *Fleet) move(updates []store.CommandUpdate) {
	if len(updates) == 0 {
		return
	}
	f.moves.add(updates...)
	signal(f.wake.write)
}

func (f *Fleet) writeCommands(ctx context.Context) error {
	updates, done := f.moves.take(), 0
	written := make([]func(), len(updates))
	for i := range written {
		written[i] = func() { done++ }
	}
	err := inBatches(ctx, f, updates, written, f.store.UpdateCommands)
	if err != nil {
		f.moves.putBack(updates[done:])
	}
	return err
}
