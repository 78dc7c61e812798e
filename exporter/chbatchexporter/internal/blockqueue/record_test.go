package blockqueue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// deliver brings a record with the numbers from..to-1, half of which are of long ago.
func deliver(q *Queue, name string, from, to int) error {
	c, err := q.Begin(context.Background(), to-from)
	if err != nil {
		return err
	}
	c.Record(name)
	for i := from; i < to; i++ {
		l := c.Lane("t", 0, i%2 == 0)
		b, _ := l.Builder().(*numbers)
		b.n.Append64(uint64(i))
		b.block.Rows++
		l.Added(pcommon.Timestamp(i%2) * nanosPerDay)
		l.Unlock()
	}
	return c.Finish(context.Background())
}

// Records come in any order, several times, through queues of several processes, among rows of other callers.
func TestRecordsAreStoredOnceHoweverOftenTheyCome(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.WaitForResult = true
	const queues, records, rows = 3, 40, 25
	var wg sync.WaitGroup
	for range queues {
		q := begin(t, s)
		defer end(t, q)
		for range 2 {
			wg.Go(func() {
				for _, r := range rand.Perm(records) {
					assert.NoError(t, deliver(q, fmt.Sprint("r", r), r*rows, (r+1)*rows))
				}
			})
		}
	}
	q := begin(t, s)
	defer end(t, q)
	for i := records * rows; i < records*rows+100; i += 10 {
		require.NoError(t, bring(q, i, i+10))
	}
	wg.Wait()
	f.once(records*rows + 100)
}

func TestARecordsBlockDependsOnNothingElse(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.WaitForResult, s.MaxRows = true, 10 // records are not cut by rows, which a busy ClickHouse changes
	q := begin(t, s)
	defer end(t, q)
	require.NoError(t, deliver(q, "a", 0, 50))
	q.lane(laneKey{table: "t"}).factor.Store(4)
	require.NoError(t, deliver(q, "a", 0, 50))
	assert.Equal(t, []int{50}, f.sizes)
}

// Rows of many days are cut, at the same places each time.
func TestARecordOfManyDays(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.WaitForResult, s.MaxDays = true, 2
	for range 2 {
		q := begin(t, s)
		require.NoError(t, deliver(q, "a", 0, 5))
		end(t, q)
	}
	assert.Len(t, f.sizes, 3)
	f.once(5)
}

func TestRecordsAreToldApart(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.WaitForResult = true
	q := begin(t, s)
	defer end(t, q)
	require.NoError(t, deliver(q, "a", 0, 10))
	require.NoError(t, deliver(q, "b", 0, 10)) // the same rows, sent twice by whoever sent them
	require.NoError(t, deliver(q, "a", 10, 20))
	assert.Equal(t, []int{10, 10, 10}, f.sizes, "a topic that was made anew begins with the same names")
}

func TestRecordsInTheStorage(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.Storage = newDisk()
	q := begin(t, s)
	for range 2 {
		require.NoError(t, deliver(q, "a", 0, 10))
		require.NoError(t, bring(q, 10, 12))
		require.NoError(t, deliver(q, "b", 20, 25))
	}
	end(t, q)
	q = begin(t, s)
	require.NoError(t, deliver(q, "b", 20, 25))
	end(t, q)
	for n, times := range f.stored {
		want := 1
		if n >= 10 && n < 12 {
			want = 2 // two calls without a name
		}
		assert.Equal(t, want, times, n)
	}
}

// The id is made of the rows alone: neither what a compressor did before nor how it compresses counts.
func TestTheIDIsAFunctionOfTheRows(t *testing.T) {
	ids := map[string]bool{}
	used := map[string]*nativeblock.Compressor{}
	for round := range 10 {
		for _, method := range []string{nativeblock.LZ4, nativeblock.ZSTD, nativeblock.None} {
			fresh, err := nativeblock.NewCompressor(method)
			require.NoError(t, err)
			if used[method] == nil {
				used[method] = fresh
			}
			for _, c := range []*nativeblock.Compressor{used[method], fresh} {
				b := &openBlock{lane: &lane{laneKey: laneKey{table: "t"}}, record: "a", builder: someNumbers(uint64(round))}
				_, id, err := b.compress(c)
				require.NoError(t, err)
				ids[id] = true
			}
		}
		require.Len(t, ids, round+1)
	}
}

func someNumbers(seed uint64) *numbers {
	r := rand.New(rand.NewPCG(1, seed))
	b, _ := newNumbers("").(*numbers)
	for range 1 + r.IntN(100_000) {
		b.n.Append64(uint64(r.IntN(1000)))
		b.block.Rows++
	}
	return b
}
