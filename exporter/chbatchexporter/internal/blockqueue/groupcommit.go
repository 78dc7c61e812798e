package blockqueue

import "time"

// groupCommit decides when the rows of callers who wait for the storage are written to it. A write costs about the same for one caller as for many, so it
// should wait for others; but not for those who do not come. Callers who come again as soon as they were answered are all there at some time,
// others come whether or not somebody waits. So it learns how many callers to wait for: one more from time to time, and no
// more than there were when nobody has come for a while. Only the queue's run goroutine uses it.
type groupCommit struct {
	// expected is how many callers a write waits for; probing says that it is one more than there were before.
	expected int
	probing  bool
	// probe is when one more may be waited for; each time that it does not come doubles the distance to the next time.
	probe    time.Time
	distance time.Duration
}

const (
	// commitDelay is how long a caller waits for company at most, where FlushInterval is not shorter.
	commitDelay = 50 * time.Millisecond
	// commitPause without another caller means that there is none to come.
	commitPause = 20 * time.Millisecond
	// A lone caller waits for a pause in vain once in so long, after some first attempts.
	minProbe, maxProbe = 100 * time.Millisecond, 20 * time.Second
)

// company is who waits for a write.
type company struct {
	callers int
	rows    int // in the largest block
	// since is when the first of these rows came, latest when the last caller had brought all of its rows.
	since, latest time.Time
}

// complete reports whether a write should not wait for more callers.
func (g *groupCommit) complete(c company, now time.Time, set *Settings) bool {
	switch {
	case c.callers == 0:
		return false
	case c.callers >= g.expected:
		g.came(c.callers, now)
		return true
	case now.Sub(c.latest) >= commitPause:
		g.missed(c.callers, now)
		return true
	default:
		return now.Sub(c.since) >= min(commitDelay, set.FlushInterval) || c.rows >= set.MaxRows/fullParts
	}
}

// fullParts is how many chunks fill an insert: small ones, so that inserts do not become much larger than they should.
const fullParts = 8

// came learns from a write that has all the callers it has waited for.
func (g *groupCommit) came(callers int, now time.Time) {
	if g.probing {
		g.distance = 0
	}
	g.expected, g.probing = callers, !now.Before(g.probe)
	if g.probing {
		g.expected++
	}
}

// missed learns from a write that has waited in vain.
func (g *groupCommit) missed(callers int, now time.Time) {
	g.expected, g.probing = callers, false
	g.distance = min(max(2*g.distance, minProbe), maxProbe)
	g.probe = now.Add(g.distance)
}
