package blockqueue

import (
	"context"
	"time"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Replay inserts a block that was dead-lettered under this id, and returns when it is stored. ErrRejected means that
// ClickHouse still rejects rows of it, which are in the dead letters again.
func (q *Queue) Replay(ctx context.Context, table string, shard int, id string, block *nativeblock.Sealed) error {
	if err := q.gate.enter(ctx, block.Rows); err != nil {
		return err
	}
	call := &Call{q: q, done: make(chan struct{}), parts: 1, finished: true}
	c := &chunk{
		id: id, lane: q.lane(laneKey{table: table, shard: shard}), since: time.Now(), rows: block.Rows, size: block.Size(), days: q.set.MaxDays, solo: true,
		block: block, calls: []*Call{call}, replayed: true, known: true,
	}
	q.gate.change(0, c.size)
	q.mu.Lock()
	q.sealed = append(q.sealed, c)
	q.mu.Unlock()
	q.wakeUp()
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
