// Package measured counts and times what is asked of a store.
package measured

import (
	"sync"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Store passes everything on to the store it was made with.
type Store struct {
	store.Store

	mu     sync.Mutex
	counts map[Operation]int64
	spent  time.Duration
	timed  int64
}

// Operation is a kind of call and how it went.
type Operation struct {
	Name   string
	Failed bool
}

var _ store.Store = (*Store)(nil)

// New measures a store.
func New(s store.Store) *Store {
	return &Store{Store: s, counts: map[Operation]int64{}}
}

// Counts returns how often each operation was asked for since the start.
func (s *Store) Counts() map[Operation]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[Operation]int64, len(s.counts))
	for operation, n := range s.counts {
		counts[operation] = n
	}
	return counts
}

// Latency returns the mean duration of operations since it was asked last; 0 when there were none.
func (s *Store) Latency() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timed == 0 {
		return 0
	}
	mean := s.spent / time.Duration(s.timed)
	s.spent, s.timed = 0, 0
	return mean
}

func (s *Store) count(name string, start time.Time, err *error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[Operation{Name: name, Failed: *err != nil}]++
	s.spent += time.Since(start)
	s.timed++
}
