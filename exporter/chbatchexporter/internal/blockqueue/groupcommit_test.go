package blockqueue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// clients play callers of a queue against its group commit, in steps of a millisecond. A write takes writeTime.
type clients struct {
	group groupCommit
	set   Settings
	now   time.Time
	open  company
	// busy is until when a write is under way; answered who is told then.
	busy     time.Time
	answered int
	writes   int
	waited   time.Duration // of the first caller of each write
	calls    int
}

const writeTime = 3 * time.Millisecond

func newClients() *clients {
	return &clients{set: Settings{MaxRows: 100_000, FlushInterval: 100 * time.Millisecond}, now: time.Unix(1000, 0)}
}

// step lets some callers come and returns how many were answered.
func (c *clients) step(come int) (answered int) {
	c.now = c.now.Add(time.Millisecond)
	if come > 0 {
		if c.open.callers == 0 {
			c.open.since = c.now
		}
		c.open.callers += come
		c.open.latest = c.now
		c.calls += come
	}
	if c.now.Before(c.busy) {
		return 0
	}
	answered, c.answered = c.answered, 0
	if c.group.complete(c.open, c.now, &c.set) {
		c.writes++
		c.waited += c.now.Sub(c.open.since)
		c.answered, c.open, c.busy = c.open.callers, company{}, c.now.Add(writeTime)
	}
	return answered
}

// inTurn lets n clients call again as soon as they were answered.
func (c *clients) inTurn(n int, d time.Duration) {
	come := n
	for end := c.now.Add(d); c.now.Before(end); {
		come = c.step(come)
	}
}

// atTheirTime lets one come each time that every is over.
func (c *clients) atTheirTime(every, d time.Duration) {
	start := c.now
	for due := 0; c.now.Before(start.Add(d)); {
		come := int(c.now.Sub(start)/every) - due
		due += come
		c.step(come)
	}
}

func TestALoneCallerDoesNotWaitForOthers(t *testing.T) {
	c := newClients()
	c.inTurn(1, time.Minute)
	assert.Less(t, c.waited, 600*time.Millisecond, "of a minute")
	assert.Equal(t, c.writes, c.calls)
}

func TestCallersInTurnAreWrittenTogether(t *testing.T) {
	c := newClients()
	c.inTurn(8, time.Minute)
	assert.InDelta(t, 8, float64(c.calls)/float64(c.writes), 0.1)
	assert.Less(t, c.waited, 600*time.Millisecond, "of a minute")
}

func TestCallersThatComeByThemselvesAreWrittenTogether(t *testing.T) {
	c := newClients()
	c.atTheirTime(5*time.Millisecond, time.Minute)
	assert.InDelta(t, 10, float64(c.calls)/float64(c.writes), 2)
	c.atTheirTime(200*time.Millisecond, time.Minute) // rarely: they do not wait either
	c.writes, c.waited = 0, 0
	c.atTheirTime(200*time.Millisecond, time.Minute)
	assert.Less(t, c.waited, 600*time.Millisecond, "of a minute")
}

func TestLargeBlocksDoNotWait(t *testing.T) {
	c := newClients()
	c.group.expected = 1000
	assert.False(t, c.group.complete(company{callers: 1, rows: 1000, since: c.now, latest: c.now}, c.now, &c.set))
	assert.True(t, c.group.complete(company{callers: 1, rows: c.set.MaxRows / 8, since: c.now, latest: c.now}, c.now, &c.set))
}
