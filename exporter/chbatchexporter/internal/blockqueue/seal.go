package blockqueue

import (
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// interval is the longest wait for a block to fill. It grows when ClickHouse asks for fewer inserts.
func (q *Queue) interval(l *lane) time.Duration {
	f := time.Duration(l.factor.Load())
	if f == 1 {
		return q.set.FlushInterval
	}
	return max(q.set.FlushInterval, throttleInterval) * f
}

// throttleInterval times the factor is the time between inserts into a table that has too many parts.
const throttleInterval = 250 * time.Millisecond

// sealDue seals open blocks whose time has come.
func (q *Queue) sealDue(now time.Time) {
	for _, l := range q.allLanes() {
		idle, drain := q.idle(l)
		b := l.take(func(b *openBlock) bool { return drain || q.due(b, now, idle) })
		if b != nil {
			q.seal(b)
		}
	}
}

// due decides when rows stop waiting for company.
func (q *Queue) due(b *openBlock, now time.Time, idle bool) bool {
	late := now.Sub(b.since) >= q.interval(b.lane)
	switch {
	case q.store != nil:
		// Callers wait for the disk only, and small chunks are put together again when they are inserted.
		return late || q.encoding.Load() == 0
	case q.set.WaitForResult:
		return idle && (late || q.encoding.Load() == 0)
	}
	// While inserts into the table are under way or fail, its block may as well grow.
	return late && idle
}

// idle tells whether an insert of the lane's rows could begin now.
func (q *Queue) idle(l *lane) (idle, draining bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	busy := len(l.chunks) > 0 || l.failing || q.inflight >= q.set.Workers || l.factor.Load() > 1 && l.inflight > 0
	if q.set.WaitForResult {
		busy = busy || l.inflight > 0
	}
	return !busy, q.draining
}

// seal compresses a block on the goroutine of its caller.
func (q *Queue) seal(b *openBlock) {
	comp, _ := q.compressors.Get().(*nativeblock.Compressor)
	sealed, err := b.builder.Block().Seal(comp)
	q.compressors.Put(comp)
	rows := b.builder.Block().Rows
	b.lane.recycle(b.builder)
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
		id: newID(), lane: b.lane, since: b.since, rows: rows, size: sealed.Size(), block: sealed, calls: b.calls, days: len(b.days),
		sampled: b.sampled,
		solo:    q.store == nil || rows >= q.set.MaxRows/2,
	}
	q.gate.change(0, c.size-b.accounted)
	q.mu.Lock()
	q.sealed = append(q.sealed, c)
	q.mu.Unlock()
	q.wakeUp()
}
