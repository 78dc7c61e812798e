package blockqueue

import (
	"context"
	"slices"

	"go.uber.org/zap"
)

// restore takes up what an earlier run left in the storage. Inserts that may have been tried are made again as they were.
func (q *Queue) restore(ctx context.Context) error {
	if err := q.store.readRange(ctx); err != nil {
		return err
	}
	chunks := map[uint64]*chunk{}
	groups := map[uint64]*group{}
	err := q.store.scan(ctx, func(seq uint64, rawChunk, rawGroup []byte) {
		if rawChunk != nil {
			if c := q.restoreChunk(seq, rawChunk); c != nil {
				chunks[seq] = c
			}
		}
		if rawGroup != nil {
			if g := q.restoreGroup(seq, rawGroup); g != nil {
				groups[seq] = g
			}
		}
	})
	if err != nil {
		return err
	}
	q.restoreInserts(chunks, groups)
	if len(chunks) > 0 {
		q.set.Logger.Info("The queue holds blocks of an earlier run", zap.Int("blocks", len(chunks)), zap.Int("inserts begun", len(groups)))
	}
	return nil
}

func (q *Queue) restoreChunk(seq uint64, raw []byte) *chunk {
	e, err := decodeChunk(raw)
	if err != nil {
		q.set.Logger.Error("An entry of the queue cannot be read", zap.Error(err))
		q.moveRaw(seq, chunkKey(seq), raw, err)
		return nil
	}
	c := &chunk{
		id: e.id, lane: q.lane(laneKey{table: e.table, shard: q.set.ShardIndex(e.shard)}), since: e.since, rows: e.block.Rows, size: e.block.Size(),
		days: e.days, old: true, solo: e.solo, seq: seq, block: e.block,
	}
	c.sampled = c.restoredSamples()
	q.gate.change(c.rows, c.size)
	if _, held := q.gate.fill(); held > q.set.MemoryBytes {
		c.block = nil
	}
	return c
}

// moveRaw puts an entry into the dead letters. When that fails it stays where it is.
func (q *Queue) moveRaw(seq uint64, key string, raw []byte, cause error) {
	if !q.buryRaw(key, raw, 1, Unreadable, cause) {
		q.store.keep(seq)
		return
	}
	q.done = append(q.done, seq)
}

func (q *Queue) restoreGroup(seq uint64, raw []byte) *group {
	g, err := decodeGroup(raw)
	if err != nil {
		q.set.Logger.Error("An entry of the queue cannot be read", zap.Error(err))
		q.moveRaw(seq, groupKey(seq), raw, err)
		return nil
	}
	return g
}

// restoreInserts puts chunks into the groups that were written down, and the rest into their lanes.
func (q *Queue) restoreInserts(chunks map[uint64]*chunk, groups map[uint64]*group) {
	for _, seq := range sorted(groups) {
		g := groups[seq]
		ins := &insert{id: g.id, lane: q.lane(laneKey{table: g.table, shard: q.set.ShardIndex(g.shard)}), seq: seq, unsure: true}
		for _, n := range g.chunks {
			if c := chunks[n]; c != nil {
				ins.chunks = append(ins.chunks, c)
				delete(chunks, n)
			}
		}
		if len(ins.chunks) < len(g.chunks) {
			q.incomplete(ins)
			continue
		}
		ins.lane.retrying = append(ins.lane.retrying, ins)
	}
	for _, seq := range sorted(chunks) {
		c := chunks[seq]
		c.lane.chunks = append(c.lane.chunks, c)
		c.lane.rows += c.rows
	}
}

// incomplete is for a group of which chunks are unreadable. The rest must not go under the group's token, whose insert
// may be stored. Each chunk is inserted alone under its own id, which was never used: at worst rows are doubled.
func (q *Queue) incomplete(ins *insert) {
	q.done = append(q.done, ins.seq)
	if len(ins.chunks) == 0 {
		return
	}
	q.set.Logger.Warn("An insert of an earlier run is incomplete: its rows may be stored twice",
		zap.String("table", ins.lane.table), zap.Int("rows", ins.rows()))
	for _, c := range ins.chunks {
		ins.lane.chunks = append(ins.lane.chunks, c)
		ins.lane.rows += c.rows
	}
}

func sorted[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
