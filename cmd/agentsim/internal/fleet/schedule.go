package fleet

import (
	"time"
)

// slots is how many groups of agents take turns within a tick. Agents of one group wake together, which costs less CPU
// than waking each on its own.
const slots = 8

// schedule is a message that is due each interval. What falls due during an outage stays due, as a stock agent's
// buffer keeps it.
type schedule struct {
	next  time.Time // of the message not yet handed over
	every time.Duration
}

func (s *schedule) isDue(now time.Time) bool { return s.every > 0 && !s.next.After(now) }
func (s *schedule) advance()                 { s.next = s.next.Add(s.every) }

// schedules of one agent. Agents of a fleet are out of step with each other.
type schedules struct {
	heartbeat, metrics, state schedule
	full                      time.Time // of the full heartbeat after a bootstrap one; zero: not due
	phase                     time.Duration
}

func newSchedules(c *Config, start time.Time, i int) schedules {
	const golden = 0.6180339887
	share := float64(i+1)*golden - float64(int(float64(i+1)*golden))
	phase := time.Duration(share * float64(time.Second))
	at := func(every time.Duration) schedule {
		return schedule{next: start.Add(min(phase, every)), every: every}
	}
	return schedules{heartbeat: at(c.Heartbeat), metrics: at(c.Metrics), state: at(c.State), phase: phase}
}

// connected makes the full heartbeat due within a second, unless a regular one is.
func (s *schedules) connected(now time.Time) {
	s.full = time.Time{}
	if s.heartbeat.every > 0 && s.heartbeat.next.Sub(now) > time.Second {
		s.full = now.Add(s.phase)
	}
}

func (s *schedules) fullIsDue(now time.Time) bool { return !s.full.IsZero() && !s.full.After(now) }

// next is the earliest time at which something may be due after now.
func (a *agent) next(now time.Time) time.Time {
	at := now.Add(time.Minute)
	earlier := func(t time.Time) {
		if !t.IsZero() && t.After(now) && t.Before(at) {
			at = t
		}
	}
	for _, s := range []*schedule{&a.due.heartbeat, &a.due.metrics, &a.due.state} {
		if s.every > 0 && (a.end.IsZero() || s.next.Before(a.end)) {
			earlier(s.next)
		}
	}
	earlier(a.due.full)
	earlier(a.end)
	if a.cfg.Rate > 0 && (a.limit < 0 || a.sent < a.limit) {
		tick := a.cfg.Tick
		turn := tick / slots * time.Duration(a.who.number%slots)
		soon := now.Add(tick - time.Duration(now.Sub(a.epoch)+tick-turn)%tick)
		if due := a.timeOf(a.sent); due.After(soon) {
			soon = due.Add(time.Millisecond)
		}
		earlier(soon)
	}
	return at
}

// entriesDue is how many entries should have been sent by now; below a rate of "max" it is what has been sent.
func (a *agent) entriesDue(now time.Time) int64 {
	if a.cfg.Rate <= 0 {
		return a.sent
	}
	if !a.end.IsZero() && now.After(a.end) {
		now = a.end
	}
	due := int64(now.Sub(a.start).Seconds() * a.cfg.Rate)
	if a.limit >= 0 {
		return min(due, a.limit)
	}
	return due
}

// timeOf is when entry n was logged.
func (a *agent) timeOf(n int64) time.Time {
	return a.start.Add(time.Duration(float64(n+1) / a.cfg.Rate * 1e9))
}
