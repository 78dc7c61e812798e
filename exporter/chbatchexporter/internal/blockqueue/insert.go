package blockqueue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// insert is one INSERT: its token and what it is made of never change.
type insert struct {
	id     string
	lane   *lane
	chunks []*chunk
	// seq of the group in the storage; only for inserts of several chunks.
	seq      uint64
	attempts int
	first    time.Time // first attempt
	next     time.Time // not before
	delay    time.Duration
	// unsure: an attempt may have stored the rows, in this run or an earlier one.
	unsure bool
	// division is under way since the insert was rejected; nil: it was not.
	division *division
}

func (ins *insert) rows() (n int) {
	for _, c := range ins.chunks {
		n += c.rows
	}
	return n
}

// doubtful tells whether an attempt before this one may have ended anywhere: in this run, in an earlier one, or of another process
// that had the same record or dead letter.
func (ins *insert) doubtful() bool {
	return ins.attempts > 1 || ins.unsure || ins.chunks[0].known
}

// launch starts the inserts whose time has come. It returns true when groups wait for a commit.
func (q *Queue) launch(now time.Time) (again bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.order {
		for q.inflight < q.set.Workers {
			ins := l.pick(now)
			if ins == nil {
				break
			}
			q.inflight++
			l.inflight++
			l.flying += ins.rows()
			if q.store != nil && ins.attempts == 0 && !ins.chunks[0].solo && ins.seq == 0 {
				q.grouped = append(q.grouped, ins)
				continue
			}
			q.start(ins)
		}
	}
	// Another lane goes first next time.
	if len(q.order) > 1 {
		q.order = append(q.order[1:len(q.order):len(q.order)], q.order[0])
	}
	return len(q.grouped) > 0
}

// pick takes the next insert of a lane off its lists. With q.mu held.
func (l *lane) pick(now time.Time) *insert {
	// While inserts fail one of them finds out when that ends; each in turn, for it may be that one's own fault.
	if (l.failing || l.factor.Load() > 1) && l.inflight > 0 || l.failing && now.Before(l.notBefore) {
		return nil
	}
	if l.failing && l.fresh {
		if ins := l.pickNew(now); ins != nil {
			return ins
		}
	}
	for i, ins := range l.retrying {
		if !ins.next.After(now) {
			l.retrying = append(l.retrying[:i:i], l.retrying[i+1:]...)
			return ins
		}
	}
	return l.pickNew(now)
}

// pickNew makes an insert of chunks.
func (l *lane) pickNew(now time.Time) *insert {
	if len(l.chunks) == 0 || l.q.draining && l.q.store != nil {
		return nil
	}
	if l.chunks[0].solo {
		return l.newInsert(0, 1, l.chunks[0].id)
	}
	n, full := l.groupable()
	if full || !now.Before(l.dueAt(l.chunks[0].since)) || l.q.set.WaitForResult || l.q.gate.pressed() {
		return l.newInsert(0, n, newID())
	}
	if n < len(l.chunks) && l.chunks[n].solo { // it need not wait for those before it
		return l.newInsert(n, 1, l.chunks[n].id)
	}
	return nil
}

// newInsert takes n chunks out of the lane.
func (l *lane) newInsert(from, n int, id string) *insert {
	ins := &insert{id: id, lane: l, chunks: slices.Clone(l.chunks[from : from+n])}
	ins.unsure = n == 1 && ins.chunks[0].solo && ins.chunks[0].old
	if from == 0 {
		l.chunks = l.chunks[n:]
	} else {
		l.chunks = slices.Delete(l.chunks, from, from+n)
	}
	l.rows -= ins.rows()
	l.last = time.Now()
	return ins
}

// start makes an attempt on a goroutine of its own. With q.mu held.
func (q *Queue) start(ins *insert) {
	q.attempts.Add(1)
	go func() {
		defer q.attempts.Done()
		q.attempt(ins)
		q.wakeUp()
	}()
}

func (q *Queue) attempt(ins *insert) {
	if ins.attempts == 0 {
		ins.first = time.Now()
	}
	ins.attempts++
	var o Outcome
	if ins.division == nil {
		o = q.tryWhole(ins)
	}
	if ins.division != nil {
		o = ins.division.attempt(ins.attempts, ins.doubtful())
	}
	ins.unsure = ins.unsure || o.Unsure
	q.complete(ins, o)
}

// tryWhole inserts all rows at once. When that is rejected they are to be divided.
func (q *Queue) tryWhole(ins *insert) Outcome {
	blocks, err := q.load(ins)
	if err != nil {
		return Outcome{Class: Retry, Code: "storage", Err: err}
	}
	if len(blocks) == 0 { // all entries were unreadable
		return Outcome{Class: Stored}
	}
	o := q.insert(ins.lane, Request{
		Token: ins.id, Blocks: blocks, Attempt: ins.attempts, Movable: !ins.unsure, Doubtful: ins.doubtful(),
	})
	if o.Class == Permanent {
		ins.division = q.newDivision(ins, blocks, o.Err)
	}
	return o
}

func (q *Queue) insert(l *lane, r Request) Outcome {
	rows, bytes := 0, 0
	for _, b := range r.Blocks {
		rows += b.Rows
		bytes += b.Size()
	}
	start := time.Now()
	r.Table, r.Shard = l.table, l.shard
	o := q.set.Inserter.Insert(q.ctx, r)
	runtime.KeepAlive(r.Blocks)
	if o.Class == Stored {
		q.set.Observer.Inserted(l.table, rows, bytes, time.Since(start), o)
	}
	if (o.Class != Stored || o.Code != "") && q.ctx.Err() == nil {
		q.set.Observer.Failed(l.table, o)
	}
	return o
}

// load returns the blocks, from the storage where they are only there. Entries that cannot be read go to the dead letters.
func (q *Queue) load(ins *insert) ([]*nativeblock.Sealed, error) {
	blocks := make([]*nativeblock.Sealed, 0, len(ins.chunks))
	for _, c := range ins.chunks {
		if c.block != nil {
			blocks = append(blocks, c.block)
			continue
		}
		if c.unreadable {
			continue
		}
		raw, err := q.store.get(context.WithoutCancel(q.ctx), c.seq)
		if err != nil {
			return nil, err
		}
		e, err := decodeChunk(raw)
		if err != nil {
			c.unreadable, c.kept = true, !q.buryRaw(c.id, raw, c.rows, c.lane.table, err)
			continue
		}
		blocks = append(blocks, e.block)
	}
	return blocks, nil
}

// complete decides what comes after an attempt.
func (q *Queue) complete(ins *insert, o Outcome) {
	over := o.Class == Stored
	if over {
		q.stored(ins)
	}
	if !over && q.givesUp(ins) {
		over, o.Err = q.buryInsert(ins, o.Err)
	}
	if over {
		q.release(ins.chunks, o.Err, ins.seq)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l := ins.lane
	q.inflight--
	l.inflight--
	l.flying -= ins.rows()
	if over {
		l.succeeded(time.Now())
		return
	}
	l.failed(ins, o, time.Now())
}

// givesUp tells whether the time for retries of an insert is over.
func (q *Queue) givesUp(ins *insert) bool {
	r := &q.set.Retry
	return q.ctx.Err() == nil && (!r.Enabled || r.MaxElapsedTime > 0 && time.Since(ins.first) > r.MaxElapsedTime)
}

// buryInsert dead-letters all rows of an insert. It returns false when they cannot be read now.
func (q *Queue) buryInsert(ins *insert, cause error) (bool, error) {
	if ins.division != nil {
		return true, ins.division.buryRest(cause)
	}
	blocks, err := q.load(ins)
	if err != nil {
		return false, cause
	}
	if len(ins.chunks) == 1 && len(blocks) == 1 { // under its token: an attempt may have stored it, and then it is no new one when it comes back
		return true, q.bury(ins.lane, ins.id, blocks[0], cause)
	}
	var outcome error
	for i, b := range blocks {
		outcome = worse(outcome, q.bury(ins.lane, partID(ins.id, i), b, cause))
	}
	return true, outcome
}

// release gives the room of chunks back and tells those who wait for their rows. group is the number of the insert in
// the storage, which goes with them.
func (q *Queue) release(chunks []*chunk, err error, group uint64) {
	rows, bytes := 0, 0
	for _, c := range chunks {
		rows += c.rows
		bytes += c.size
	}
	q.gate.change(-rows, -bytes)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range chunks {
		settleAll(c.calls, err)
		c.calls = nil
		switch {
		case c.kept:
			q.kept = append(q.kept, c.seq)
		case q.store != nil:
			q.done = append(q.done, c.seq)
		}
	}
	if group != 0 {
		q.done = append(q.done, group)
	}
}

// bury puts rows into the dead letters, or counts them as lost when that fails. The error says which.
func (q *Queue) bury(l *lane, id string, b *nativeblock.Sealed, cause error) error {
	if err := q.set.DeadLetter.Rows(l.table, q.set.ShardName(l.shard), id, b, cause); err != nil {
		q.set.Logger.Error("Rows are lost", zap.String("table", l.table), zap.Int("rows", b.Rows), zap.NamedError("cause", cause), zap.Error(err))
		q.set.Observer.Lost(l.table, b.Rows)
		return fmt.Errorf("%w: %w", ErrLost, cause)
	}
	q.set.Observer.DeadLettered(l.table, b.Rows)
	return fmt.Errorf("%w: %w", ErrRejected, cause)
}

// worse keeps the more serious of two outcomes of bury.
func worse(a, b error) error {
	if a == nil || errors.Is(b, ErrLost) {
		return b
	}
	return a
}

// buryRaw returns false when the entry could not be put into the dead letters, and has to stay in the storage.
func (q *Queue) buryRaw(id string, raw []byte, rows int, table string, cause error) bool {
	if err := q.set.DeadLetter.Raw(id, raw, cause); err != nil {
		q.set.Logger.Error("An entry of the queue can neither be read nor put into the dead letters: it stays in the storage",
			zap.String("id", id), zap.NamedError("cause", cause), zap.Error(err))
		q.set.Observer.Lost(table, rows)
		return false
	}
	q.set.Observer.DeadLettered(table, rows)
	return true
}
