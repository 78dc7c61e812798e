package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

func (f *Fleet) writeFacts(ctx context.Context) error {
	var updates []store.FactsUpdate
	var written []func()
	for _, s := range f.speaking() {
		s.mu.Lock()
		if pending := s.facts; pending != nil && s.number != 0 {
			pending.Session = s.number
			updates = append(updates, *pending)
			written = append(written, func() { s.locked(func() { s.facts = clearIf(s.facts, pending) }) })
		}
		s.mu.Unlock()
	}
	if err := inBatches(ctx, f, updates, written, f.store.SaveFacts); err != nil {
		return err
	}
	return f.writeConfirmations(ctx)
}

func (f *Fleet) writeConfigs(ctx context.Context) error {
	var updates []store.ConfigUpdate
	var written []func()
	for _, s := range f.speaking() {
		s.mu.Lock()
		if pending := s.config; pending != nil && s.number != 0 {
			pending.Session = s.number
			updates = append(updates, *pending)
			written = append(written, func() { s.locked(func() { s.config = clearIf(s.config, pending) }) })
		}
		s.mu.Unlock()
	}
	return inBatches(ctx, f, updates, written, f.store.SaveConfigs)
}

// locked runs a change of the session under its lock.
func (s *session) locked(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// clearIf forgets what was written, unless something newer took its place meanwhile.
func clearIf[T any](current, written *T) *T {
	if current == written {
		return nil
	}
	return current
}

// inBatches writes and then marks as written. What the store refuses for itself alone is left out, with a line in the log,
// so that one agent's odd words never keep the others' from being written.
func inBatches[T any](ctx context.Context, f *Fleet, updates []T, written []func(), save func(context.Context, []T) error) error {
	for start := 0; start < len(updates); start += maxBatch {
		end := min(start+maxBatch, len(updates))
		err := save(ctx, updates[start:end])
		if refused(err) && end-start > 1 {
			err = oneByOne(ctx, f, updates[start:end], save)
		}
		if err != nil && !refused(err) {
			return err
		}
		f.failed(ctx, "write what an agent reports", err)
		for _, done := range written[start:end] {
			done()
		}
	}
	return nil
}

func oneByOne[T any](ctx context.Context, f *Fleet, updates []T, save func(context.Context, []T) error) error {
	for i := range updates {
		err := save(ctx, updates[i:i+1])
		if err != nil && !refused(err) {
			return err
		}
		f.failed(ctx, "write what an agent reports", err)
	}
	return nil
}

// refused says that a retry would fail too.
func refused(err error) bool { return err != nil && !errors.Is(err, store.ErrUnavailable) }

// writeConfirmations tells the store which agents came back with another version.
func (f *Fleet) writeConfirmations(ctx context.Context) error {
	f.mu.Lock()
	confirm := f.confirm
	f.confirm = map[string]string{}
	f.mu.Unlock()
	for id, version := range confirm {
		if err := f.store.ConfirmUpdates(ctx, id, version); err != nil {
			f.mu.Lock()
			f.confirm[id] = version
			f.mu.Unlock()
			return err
		}
	}
	return nil
}

// speaking returns open sessions and those whose end is not written, sorted by agent.
func (f *Fleet) speaking() []*session {
	f.mu.RLock()
	defer f.mu.RUnlock()
	sessions := make([]*session, 0, len(f.sessions)+len(f.ending))
	for _, s := range f.sessions {
		sessions = append(sessions, s)
	}
	for s := range f.ending {
		sessions = append(sessions, s)
	}
	slices.SortFunc(sessions, func(a, b *session) int { return strings.Compare(a.peer.AgentID, b.peer.AgentID) })
	return sessions
}
