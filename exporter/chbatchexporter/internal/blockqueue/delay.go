package blockqueue

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// sampleEvery is of how many rows of a block one is watched on its way: the first one and each that many after it.
const sampleEvery = 128

// sample notes the time of a row that was appended as the block's last. With the lane's lock held.
func (b *openBlock) sample(at pcommon.Timestamp) {
	if (b.builder.Block().Rows-1)%sampleEvery == 0 && !b.lane.stray {
		b.sampled = append(b.sampled, at)
	}
}

// restoredSamples stand for the samples of a chunk of an earlier run, which are not stored: its rows are at least as old
// as the chunk.
func (c *chunk) restoredSamples() []pcommon.Timestamp {
	return slices.Repeat([]pcommon.Timestamp{pcommon.NewTimestampFromTime(c.since)}, (c.rows+sampleEvery-1)/sampleEvery)
}

// stored tells when the sampled rows of an insert were made, now that ClickHouse has them.
func (q *Queue) stored(ins *insert) {
	for _, c := range ins.chunks {
		if len(c.sampled) > 0 {
			q.set.Observer.Stored(ins.lane.table, c.sampled)
		}
	}
}
