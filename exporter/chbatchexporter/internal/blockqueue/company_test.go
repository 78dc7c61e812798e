package blockqueue

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestChunksOfOneDayFillAnInsert: that many chunks may come on one day does not make inserts smaller.
func TestChunksOfOneDayFillAnInsert(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.Storage = newDisk()
	s.InsertInterval, s.MaxDays, s.QueueRows = time.Hour, 10, 10_000
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10))
	eventually(t, "the first rows are stored", func() bool { return f.count() == 10 })
	for i := 10; i < 10+s.MaxRows; i += 2 {
		require.NoError(t, bring(q, i, i+2))
	}
	eventually(t, "the full insert is stored", func() bool { return f.count() == 10+s.MaxRows })
	end(t, q)
	assert.Equal(t, s.MaxRows, slices.Max(f.sizes))
}

// TestAnInsertWithoutRoomForMoreDoesNotWait for the interval.
func TestAnInsertWithoutRoomForMoreDoesNotWait(t *testing.T) {
	l := &lane{q: &Queue{set: Settings{MaxRows: 1000, MaxBytes: 1 << 20, MaxDays: 3}}}
	l.factor.Store(1)
	for day := range int64(5) {
		l.chunks = append(l.chunks, &chunk{rows: 1, days: 2, onDays: []int64{day, day + 1}})
	}
	n, full := l.groupable()
	assert.Equal(t, 2, n)
	assert.True(t, full)

	l.chunks = slices.Repeat([]*chunk{{rows: 1, days: 1}}, 3)
	n, full = l.groupable()
	assert.Equal(t, 3, n, "the days of chunks of an earlier run are not known, and count as different ones")
	assert.False(t, full)
	l.chunks = append(l.chunks, l.chunks[0])
	n, full = l.groupable()
	assert.Equal(t, 3, n)
	assert.True(t, full)
}
