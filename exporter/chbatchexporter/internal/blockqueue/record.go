package blockqueue

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Record names what the call brings: a record of a log that may bring it again, to this process or another. Its rows get blocks of their
// own whose ids are made of the name and the rows, so that ClickHouse knows them when they come again. Must be called before Lane.
func (c *Call) Record(name string) {
	if name != "" {
		c.record, c.own = name, map[laneKey]*ownSlot{}
	}
}

// ownSlot is where a call's own block of a table grows; part counts the blocks before it.
type ownSlot struct {
	open *openBlock
	part int
}

// ownLane has the rows of a record in their order, whatever time they are from: what a block holds depends on the record alone.
func (c *Call) ownLane(table string, shard int) Lane {
	key := laneKey{table: table, shard: shard}
	slot := c.own[key]
	if slot == nil {
		slot = &ownSlot{}
		c.own[key] = slot
	}
	return Lane{lane: c.q.lane(key), call: c, open: &slot.open, own: slot}
}

// newOwn begins a block of a record.
func (l *Lane) newOwn() *openBlock {
	l.mu.Lock()
	b := l.newBlock()
	l.mu.Unlock()
	b.record, b.part = l.call.record, l.own.part
	l.own.part++
	return b
}

// takeOwn moves the blocks of a record to those that are full: nothing else may come into them.
func (c *Call) takeOwn() {
	for _, slot := range c.own {
		if slot.open != nil {
			c.full = append(c.full, slot.open)
			slot.open = nil
		}
	}
}

// compress seals the block and makes its id: random, or that of a record's rows. The content is part of it, because a topic that is made
// anew counts its records from 0 again. Whatever else changed about a block, its rows are at worst stored twice.
func (b *openBlock) compress(c *nativeblock.Compressor) (*nativeblock.Sealed, string, error) {
	if b.record == "" {
		s, err := b.builder.Block().Seal(c)
		return s, newID(), err
	}
	s, digest, err := b.builder.Block().SealDigest(c)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d\x00%d\x00%x", b.record, b.lane.table, b.part, s.Rows, s.RawSize, digest))
	return s, hex.EncodeToString(sum[:16]), nil
}
