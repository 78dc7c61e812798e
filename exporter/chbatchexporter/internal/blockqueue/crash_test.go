package blockqueue

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// TestCrashesLoseAndDoubleNothing runs senders against a ClickHouse that fails in all ways, and crashes the queue at
// arbitrary moments: what is on disk then is what the next run finds. Acknowledged rows must be stored exactly once.
func TestCrashesLoseAndDoubleNothing(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome {
		switch {
		case sometimes(0.1):
			return &Outcome{Class: Retry, Unsure: true, Err: errFake} // not stored
		case sometimes(0.1):
			return &Outcome{Class: Retry, Unsure: true, Duplicate: true, Err: errFake} // stored, the answer is lost
		case sometimes(0.05):
			return &Outcome{Class: Retry, Unsure: true, Restored: -1, Err: errFake} // its token is, its rows are not
		case sometimes(0.05):
			return &Outcome{Class: Throttle, Err: errFake}
		}
		return nil
	})
	d := newDisk()
	acknowledged := map[int]bool{}
	next := 0
	for range 30 {
		d, next = crashRun(t, f, d, acknowledged, next)
	}
	f.set(nil)
	s := setup(t, f)
	s.Storage = d
	q := begin(t, s)
	eventually(t, "the storage is empty", func() bool { return d.entries() == 0 })
	end(t, q)
	f.mu.Lock()
	defer f.mu.Unlock()
	lost, doubled := 0, 0
	for n := range acknowledged {
		if f.stored[uint64(n)] == 0 {
			lost++
		}
	}
	for _, c := range f.stored {
		if c > 1 {
			doubled++
		}
	}
	assert.Zero(t, lost, "of %d acknowledged rows", len(acknowledged))
	assert.Zero(t, doubled)
	assert.Greater(t, len(acknowledged), 1000)
}

// crashRun brings rows until the crash. It returns what was on disk at that moment.
func crashRun(t *testing.T, f *fakeClickHouse, d *disk, acknowledged map[int]bool, next int) (*disk, int) {
	crashed := make(chan struct{})
	one := &mortal{fakeClickHouse: f, crashed: crashed}
	s := setup(t, f)
	s.Storage, s.Inserter, s.DrainTimeout = d, one, time.Millisecond
	q := begin(t, s)
	var mu sync.Mutex
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				from := next
				n := 1 + from%70
				next += n
				mu.Unlock()
				if bringContext(ctx, q, from, from+n) != nil {
					continue
				}
				mu.Lock()
				select {
				case <-crashed:
				default:
					for i := from; i < from+n; i++ {
						acknowledged[i] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	mu.Lock()
	left := one.die(d)
	mu.Unlock()
	cancel()
	wg.Wait()
	_ = q.Shutdown(context.Background())
	return left, next
}

// mortal is the way of one run to ClickHouse, which ends with the crash.
type mortal struct {
	*fakeClickHouse
	mu      sync.Mutex
	crashed chan struct{}
}

func (m *mortal) Insert(ctx context.Context, r Request) Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.crashed:
		return Outcome{Class: Retry, Err: errFake}
	default:
		return m.fakeClickHouse.Insert(ctx, r)
	}
}

// die copies the disk at a moment when no insert is half done in the fake; inserts that were stored and not deleted from
// the disk, and groups that were written and not inserted, are all there.
func (m *mortal) die(d *disk) *disk {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := d.copy()
	close(m.crashed)
	return left
}

func TestAnEntryThatCannotBeReadGoesToTheDeadLetters(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	d := newDisk()
	s := setup(t, f)
	s.Storage, s.DrainTimeout = d, 10*time.Millisecond
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 100))
	require.NoError(t, bring(q, 100, 200))
	end(t, q)
	require.NoError(t, d.Batch(context.Background(), storage.SetOperation(chunkKey(1), []byte{99, 1, 2})))
	f.set(nil)
	q = begin(t, s)
	eventually(t, "the good entry is stored", func() bool { return f.count() == 100 })
	eventually(t, "the storage is empty", func() bool { return d.entries() == 0 })
	end(t, q)
	g, _ := s.DeadLetter.(*graves)
	assert.Equal(t, 1, g.raw)
}

// counted is an Observer of what is lost.
type counted struct {
	ignore
	lost map[string]int
}

func (c counted) Lost(table string, rows int) { c.lost[table] += rows }

// TestAnEntryThatCanNeitherBeReadNorMovedStays in the storage, however much comes after it, until a run can do one of them.
func TestAnEntryThatCanNeitherBeReadNorMovedStays(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	d := newDisk()
	s := setup(t, f)
	s.Storage, s.DrainTimeout = d, 10*time.Millisecond
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 100))
	end(t, q)
	raw, err := d.Get(context.Background(), chunkKey(1))
	require.NoError(t, err)
	newer := slices.Clone(raw)
	newer[0]++
	require.NoError(t, d.Set(context.Background(), chunkKey(1), newer))
	f.set(nil)
	g, _ := s.DeadLetter.(*graves)
	g.full = true
	c := counted{lost: map[string]int{}}
	s.Observer = c
	for run := range 2 {
		q = begin(t, s)
		from := 100 + 100*run
		require.NoError(t, bring(q, from, from+100))
		eventually(t, "the others are stored", func() bool { return f.count() == from })
		eventually(t, "and gone", func() bool { return d.entries() == 3 }) // an entry and its spacers
		end(t, q)
		assert.Equal(t, run+1, c.lost[Unreadable])
		assert.Greater(t, q.store.first, uint64(1), "it does not hold up the range")
	}
	require.NoError(t, d.Set(context.Background(), chunkKey(1), raw))
	q = begin(t, s)
	eventually(t, "it is stored by who can read it", func() bool { return f.count() == 300 })
	eventually(t, "the storage is empty", func() bool { return d.entries() == 0 })
	end(t, q)
	f.once(300)
}

func TestStoredBlocksAreReadFromDiskWhenMemoryIsShort(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	s := setup(t, f)
	s.Storage, s.MemoryBytes = newDisk(), 1
	q := begin(t, s)
	for i := range 20 {
		require.NoError(t, bring(q, i*100, i*100+100))
	}
	f.set(nil)
	eventually(t, "all rows are stored", func() bool { return f.count() == 2000 })
	end(t, q)
	f.once(2000)
}

func FuzzDecodeEntries(f *testing.F) {
	b, _ := newNumbers("").(*numbers)
	b.n.Append64(7)
	b.block.Rows++
	comp, err := nativeblock.NewCompressor(nativeblock.LZ4)
	require.NoError(f, err)
	sealed, err := b.block.Seal(comp)
	require.NoError(f, err)
	f.Add(encodeChunk(&chunk{id: newID(), lane: &lane{laneKey: laneKey{table: "t"}}, block: sealed}, "shard"))
	f.Add((&group{id: newID(), table: "t", chunks: []uint64{1, 2}}).encode())
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if e, err := decodeChunk(raw); err == nil {
			_, _ = e.block.AppendNative(nil)
			_, _ = e.block.Slice(0, 1, comp)
		}
		_, _ = decodeGroup(raw)
	})
}
