package fleet

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// rates turns an agent's request counter into points of requests per second, one per RateInterval.
type rates struct {
	points []float32
	// first and last are the ends of the interval under way, at times of the agent's clock.
	first, last sample
}

type sample struct {
	at    time.Time
	total int64
}

// Metrics implements agentsession.Session.
func (s *session) Metrics(queued time.Time, totalRequests int64) {
	s.fleet.messages.Add(1)
	now := s.fleet.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.seen = time.Now()
	s.rates.add(sample{at: queued, total: totalRequests}, now)
}

func (r *rates) add(next sample, now time.Time) {
	if store.Newer(r.last.at, next.at, now) {
		return // replayed
	}
	// NGINX restarted and its counter began anew, or the agent's clock was put right.
	if r.first.at.IsZero() || next.total < r.last.total || next.at.Before(r.last.at) {
		r.first = next
	}
	r.last = next
}

// point ends the interval under way. Without samples in it there is no point.
func (r *rates) point() (float32, bool) {
	elapsed := r.last.at.Sub(r.first.at).Seconds()
	if elapsed < 1 {
		return 0, false
	}
	rate := float32(math.Round((float64(r.last.total)-float64(r.first.total))/elapsed*100) / 100)
	r.first = r.last
	if len(r.points) >= ratePoints {
		r.points = slices.Clone(r.points[len(r.points)-ratePoints+1:])
	}
	r.points = append(slices.Clip(r.points), rate)
	return rate, true
}

func (s *session) currentRates() []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rates.points
}

// sampleLoop ends the intervals of all local sessions together.
func (f *Fleet) sampleLoop(ctx context.Context) {
	every(ctx, RateInterval, func() {
		for _, s := range f.localSessions() {
			s.mu.Lock()
			s.rates.point()
			s.mu.Unlock()
			f.hub.activity(s.peer.AgentID)
		}
	})
}

func (f *Fleet) localSessions() []*session {
	f.mu.RLock()
	defer f.mu.RUnlock()
	sessions := make([]*session, 0, len(f.sessions))
	for _, s := range f.sessions {
		sessions = append(sessions, s)
	}
	return sessions
}

// every calls do until the context ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}
