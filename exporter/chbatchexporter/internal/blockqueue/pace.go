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

// throttleInterval times the factor is the time between inserts into a table that has too many parts.
const throttleInterval = 250 * time.Millisecond

// nextSmall is when the next insert may be made that is not full: not before the pause since the latest one is over. With q.mu held.
func (l *lane) nextSmall() time.Time {
	pause := l.q.set.InsertInterval
	if f := l.factor.Load(); f > 1 {
		pause = max(pause, throttleInterval*time.Duration(f))
	}
	return l.last.Add(pause)
}

// dueAt is when rows in chunks that came at since stop waiting for company. With q.mu held.
func (l *lane) dueAt(since time.Time) time.Time {
	at := since.Add(l.q.set.FlushInterval)
	if next := l.nextSmall(); next.After(at) {
		return next
	}
	return at
}

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

// failed makes an insert wait for its next attempt, and the lane too. With q.mu held.
func (l *lane) failed(ins *insert, o Outcome, now time.Time) {
	if o.Class == Throttle {
		l.slowDown(now)
	}
	l.failing, l.fresh = true, !l.fresh
	l.delay, ins.delay = l.nextDelay(l.delay), l.nextDelay(ins.delay)
	factor := l.q.set.Retry.RandomizationFactor
	l.notBefore, ins.next = now.Add(jitter(l.delay, factor)), now.Add(jitter(ins.delay, factor))
	l.retrying = append(l.retrying, ins)
}

// succeeded lets all inserts of the lane go on: what stopped them is over. With q.mu held.
func (l *lane) succeeded(now time.Time) {
	l.calmDown(now)
	if !l.failing {
		return
	}
	l.failing, l.delay = false, 0
	soon := now.Add(l.q.set.Retry.InitialInterval)
	for _, ins := range l.retrying {
		if ins.next.After(soon) {
			ins.next = soon
		}
	}
}

func (l *lane) nextDelay(last time.Duration) time.Duration {
	d := nextDelay(last, &l.q.set.Retry)
	if l.q.draining {
		return min(d, drainDelay)
	}
	return d
}
