package avikareceiver

import (
	"sync"
)

// streamSet knows the streams that are open, those too whose last messages are still taken.
type streamSet struct {
	mu   sync.Mutex
	open map[*stream]struct{}
	// emptied, when there is one, is closed when there is no stream.
	emptied chan struct{}
}

// add reports whether there is room for another stream.
func (set *streamSet) add(s *stream, limit int) bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	if len(set.open) >= limit {
		return false
	}
	set.open[s] = struct{}{}
	return true
}

func (set *streamSet) remove(s *stream) {
	set.mu.Lock()
	defer set.mu.Unlock()
	delete(set.open, s)
	set.tell()
}

// none returns a channel that is closed as soon as no stream is open.
func (set *streamSet) none() <-chan struct{} {
	set.mu.Lock()
	defer set.mu.Unlock()
	emptied := make(chan struct{})
	set.emptied = emptied
	set.tell()
	return emptied
}

// tell needs the lock.
func (set *streamSet) tell() {
	if len(set.open) == 0 && set.emptied != nil {
		close(set.emptied)
		set.emptied = nil
	}
}

func (set *streamSet) len() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return len(set.open)
}

// closeSilent ends the streams that have sent nothing since the given time, unless it was not their fault.
func (set *streamSet) closeSilent(since int64) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s := range set.open {
		if s.received.Load() < since && !s.paused.Load() {
			close(s.idle)
			delete(set.open, s)
		}
	}
	set.tell()
}
