package blockqueue

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// Call is what one caller brings. Not safe for concurrent use.
type Call struct {
	q *Queue
	// reserved rows at the gate, and rows that were appended.
	reserved, appended int
	full               []*openBlock
	// held is the lane that Lane has returned: a caller has one at a time.
	held Lane
	// record is the name of what the call brings, own its blocks that still grow; see Record.
	record string
	own    map[laneKey]*ownSlot
	// Guarded by q.mu.
	parts    int // blocks with rows of this call that are not safe yet
	finished bool
	err      error
	done     chan struct{}
}

// Begin takes room for at most n rows. After success Finish must be called.
func (q *Queue) Begin(ctx context.Context, n int) (*Call, error) {
	if err := q.gate.enter(ctx, n); err != nil {
		return nil, err
	}
	q.encoding.Add(1)
	return &Call{q: q, reserved: n, done: make(chan struct{})}, nil
}

// Lane locks the open block of a table, until Unlock, before which it must not be called again. Rows whose time is far from the present
// are stray: they have blocks of their own.
func (c *Call) Lane(table string, shard int, stray bool) *Lane {
	if c.record != "" {
		c.held = c.ownLane(table, shard)
		return &c.held
	}
	l := c.q.lane(laneKey{table: table, shard: shard, stray: stray})
	l.mu.Lock()
	c.held = Lane{lane: l, call: c, open: &l.open}
	return &c.held
}

// Finish returns when the rows are as safe as configured. An error means that they are not stored, with two exceptions:
// when ctx ends they may be stored later, and with ErrRejected and ErrLost only some of them may not.
func (c *Call) Finish(ctx context.Context) error {
	q := c.q
	c.takeOwn()
	for _, b := range c.full {
		q.seal(b)
	}
	c.full = nil
	if c.appended != c.reserved {
		q.gate.change(c.appended-c.reserved, 0)
	}
	wait := c.finish()
	q.latest.Store(time.Now().UnixNano())
	q.encoding.Add(-1)
	q.wakeUp()
	if !wait {
		return nil
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Call) finish() (wait bool) {
	if !c.q.sync() {
		return false
	}
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.finished = true
	c.settle()
	return true
}

// settle ends the call when all its blocks are safe.
func (c *Call) settle() {
	if c.finished && c.parts == 0 {
		close(c.done)
		c.parts = -1
	}
}

// settleAll takes a part off each call. Guarded by q.mu.
func settleAll(calls []*Call, err error) {
	for _, c := range calls {
		c.parts--
		if err != nil {
			c.err = err
		}
		c.settle()
	}
}

// Lane is the open block of a table while it is locked.
type Lane struct {
	*lane
	call *Call
	// open is where the block is: in the lane, or in own, which is not nil when the block is the call's alone.
	open **openBlock
	own  *ownSlot
}

// Builder to append the next row to. Ask again for each row, and call Added after it.
func (l *Lane) Builder() rows.Builder {
	if *l.open == nil {
		*l.open = l.begin()
	}
	return (*l.open).builder
}

// Added counts a row; at is its time.
func (l *Lane) Added(at pcommon.Timestamp) {
	b := *l.open
	l.call.appended++
	l.call.joins(b)
	block := b.builder.Block()
	b.sample(at)
	full := block.Rows >= l.maxRows() && l.own == nil
	if b.addDay(int64(at/nanosPerDay)) >= l.q.set.MaxDays || full || block.Size() >= l.q.set.MaxBytes {
		l.call.full = append(l.call.full, b)
		*l.open = nil
		return
	}
	if block.Rows%pressEvery == 0 && l.own == nil {
		l.q.press(block)
	}
}

func (l *Lane) begin() *openBlock {
	if l.own != nil {
		return l.newOwn()
	}
	return l.newBlock()
}

const nanosPerDay = pcommon.Timestamp(24 * time.Hour)

// joins makes the call wait for the block.
func (c *Call) joins(b *openBlock) {
	if !c.q.sync() || len(b.calls) > 0 && b.calls[len(b.calls)-1] == c {
		return
	}
	b.calls = append(b.calls, c)
	c.q.mu.Lock()
	c.parts++
	c.q.mu.Unlock()
}

// Unlock lets other callers append.
func (l *Lane) Unlock() {
	l.q.account(*l.open)
	if l.own == nil {
		l.mu.Unlock()
	}
}
