package blockqueue

import (
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// sealDue seals open blocks whose time has come.
func (q *Queue) sealDue(now time.Time) {
	together := q.store != nil && q.encoding.Load() == 0 && q.groupCommit.complete(q.company(), now, &q.set)
	for _, l := range q.allLanes() {
		s := q.state(l)
		b := l.take(func(b *openBlock) bool { return s.draining || together || q.due(b, now, s) })
		if b != nil {
			q.seal(b)
		}
	}
}

// company is who waits for the open blocks to be written to the storage.
func (q *Queue) company() company {
	c := company{latest: time.Unix(0, q.latest.Load())}
	for _, l := range q.allLanes() {
		l.mu.Lock()
		if b := l.open; b != nil {
			c.callers, c.rows = max(c.callers, len(b.calls)), max(c.rows, b.builder.Block().Rows)
			c.since = oldest(c.since, b.since)
		}
		l.mu.Unlock()
	}
	return c
}

// due decides when the rows of an open block stop waiting for company.
func (q *Queue) due(b *openBlock, now time.Time, s laneState) bool {
	late := now.Sub(b.since) >= q.set.FlushInterval
	switch {
	case q.store != nil:
		return late // callers wait for the disk only, and small chunks are put together again when they are inserted
	case q.set.WaitForResult:
		return s.idle && (late || q.encoding.Load() == 0)
	}
	// While inserts into the table are under way or fail, its block may as well grow.
	return s.idle && (q.gate.pressed() || late && !now.Before(s.next))
}

// laneState is what the queue knows of a lane when it looks at its open block.
type laneState struct {
	// idle: an insert of the lane's rows could begin now.
	idle, draining bool
	// next is when the next small insert may be made.
	next time.Time
}

func (q *Queue) state(l *lane) laneState {
	q.mu.Lock()
	defer q.mu.Unlock()
	busy := len(l.chunks) > 0 || l.failing || q.inflight >= q.set.Workers || l.factor.Load() > 1 && l.inflight > 0
	if q.set.WaitForResult {
		busy = busy || l.inflight > 0
	}
	return laneState{idle: !busy, draining: q.draining, next: l.nextSmall()}
}

// seal compresses a block on the goroutine of its caller.
func (q *Queue) seal(b *openBlock) {
	comp, _ := q.compressors.Get().(*nativeblock.Compressor)
	sealed, id, err := b.compress(comp)
	q.compressors.Put(comp)
	rows := b.builder.Block().Rows
	b.lane.recycle(b)
	if err != nil { // a mistake in a builder; nothing that data can cause
		q.set.Logger.Error("A block could not be sealed", zap.String("table", b.lane.table), zap.Error(err))
		q.set.Observer.Lost(b.lane.table, rows)
		q.gate.change(-rows, -b.accounted)
		q.mu.Lock()
		defer q.mu.Unlock()
		settleAll(b.calls, err)
		return
	}
	c := &chunk{
		id: id, lane: b.lane, since: b.since, rows: rows, size: sealed.Size(), block: sealed, calls: b.calls, days: len(b.days), onDays: b.days,
		sampled: b.sampled, known: b.record != "",
		solo: q.store == nil || rows >= q.set.MaxRows/2 || b.record != "",
	}
	q.gate.change(0, c.size-b.accounted)
	q.mu.Lock()
	q.sealed = append(q.sealed, c)
	q.mu.Unlock()
	q.wakeUp()
}

// press compresses what the columns of an open block have collected.
func (q *Queue) press(b *nativeblock.Block) {
	comp, _ := q.compressors.Get().(*nativeblock.Compressor)
	b.Press(comp)
	q.compressors.Put(comp)
}
