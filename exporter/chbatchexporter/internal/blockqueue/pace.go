package blockqueue

import (
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/config/configretry"
)

// drainDelay is the longest wait between attempts while the queue is shut down.
const drainDelay = 200 * time.Millisecond

// nextDelay is how long to wait after another failure.
func nextDelay(last time.Duration, r *configretry.BackOffConfig) time.Duration {
	if last == 0 {
		return r.InitialInterval
	}
	return min(time.Duration(float64(last)*r.Multiplier), r.MaxInterval)
}

func jitter(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * (1 + factor*(2*rand.Float64()-1)))
}

// How inserts adapt to a table with too many parts.
const (
	maxFactor = 16
	// calmTime without trouble halves the factor.
	calmTime = 10 * time.Second
)

// slowDown makes inserts of the lane fewer and larger. With q.mu held.
func (l *lane) slowDown(now time.Time) {
	l.factor.Store(min(l.factor.Load()*2, maxFactor))
	l.calm = now
}

// calmDown goes back towards the usual pace. With q.mu held.
func (l *lane) calmDown(now time.Time) {
	if f := l.factor.Load(); f > 1 && now.Sub(l.calm) >= calmTime {
		l.factor.Store(f / 2)
		l.calm = now
	}
}
