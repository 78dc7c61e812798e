package blockqueue

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// commit makes sealed chunks and the composition of groups durable, in one write for all of them, and tells the callers.
func (q *Queue) commit() {
	q.mu.Lock()
	chunks, groups := q.sealed, q.grouped
	q.sealed, q.grouped = nil, nil
	if q.store == nil {
		q.mu.Unlock()
		q.committed(chunks, nil)
		return
	}
	q.store.deletes = append(q.store.deletes, q.done...)
	q.done = nil
	for _, seq := range q.kept {
		q.store.keep(seq)
	}
	q.kept = nil
	q.mu.Unlock()
	ops := make([]*storage.Operation, 0, len(chunks)+len(groups))
	for _, ins := range groups {
		ops = append(ops, q.groupOp(ins))
	}
	groupOps := len(ops)
	for _, c := range chunks {
		c.seq = q.store.number()
		ops = append(ops, chunkOps(c.seq, encodeChunk(c, q.set.ShardName(c.lane.shard)))...)
	}
	// Not the queue's context: what was begun is finished.
	err := q.store.write(context.Background(), ops)
	if err == nil {
		q.committed(chunks, groups)
		return
	}
	q.set.Logger.Error("The queue could not be written to its storage", zap.Int("blocks", len(chunks)), zap.Error(err))
	q.refuse(chunks, fmt.Errorf("write the queue to its storage: %w", err))
	if len(groups) > 0 && q.store.write(context.Background(), ops[:groupOps]) == nil {
		q.committed(nil, groups)
		return
	}
	q.postpone(groups)
}

func (q *Queue) groupOp(ins *insert) *storage.Operation {
	ins.seq = q.store.number()
	g := group{id: ins.id, table: ins.lane.table, shard: q.set.ShardName(ins.lane.shard)}
	for _, c := range ins.chunks {
		g.chunks = append(g.chunks, c.seq)
	}
	return storage.SetOperation(groupKey(ins.seq), g.encode())
}

func (q *Queue) committed(chunks []*chunk, groups []*insert) {
	_, held := q.gate.fill()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range chunks {
		c.lane.chunks = append(c.lane.chunks, c)
		c.lane.rows += c.rows
		if q.store != nil && held > q.set.MemoryBytes {
			c.block = nil
		}
		if !q.set.WaitForResult && !c.replayed {
			settleAll(c.calls, nil)
			c.calls = nil
		}
	}
	for _, ins := range groups {
		q.start(ins)
	}
}

// refuse takes rows back that could not be made durable; their callers have to bring them again.
func (q *Queue) refuse(chunks []*chunk, err error) {
	for _, c := range chunks {
		q.store.gone[c.seq] = true
		q.gate.change(-c.rows, -c.size)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range chunks {
		settleAll(c.calls, err)
	}
}

// postpone tries groups again after a while whose composition could not be written.
func (q *Queue) postpone(groups []*insert) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ins := range groups {
		q.store.gone[ins.seq] = true
		l := ins.lane
		l.chunks = append(ins.chunks, l.chunks...)
		for _, c := range ins.chunks {
			l.rows += c.rows
		}
		q.inflight--
		l.inflight--
		l.flying -= ins.rows()
	}
	time.AfterFunc(time.Second, q.wakeUp)
}
