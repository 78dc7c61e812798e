package blockqueue

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestRowsInMemoryAreInsertedOnce(t *testing.T) {
	f := newFake(t)
	q := begin(t, setup(t, f))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				assert.NoError(t, bring(q, (g*50+i)*10, (g*50+i)*10+10))
			}
		})
	}
	wg.Wait()
	end(t, q)
	f.once(4000)
	rows, bytes := q.gate.fill()
	assert.Zero(t, rows)
	assert.Zero(t, bytes)
}

func TestBlocksGrowWhileWorkersAreBusy(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	f.set(func(Request) *Outcome {
		<-release
		return nil
	})
	s := setup(t, f)
	s.Workers = 1
	q := begin(t, s)
	for i := range 60 {
		require.NoError(t, bring(q, i, i+1))
		time.Sleep(time.Millisecond)
	}
	close(release)
	end(t, q)
	f.once(60)
	assert.LessOrEqual(t, len(f.sizes), 3, "%v", f.sizes)
}

func TestRowsDoNotWaitLongerThanTheInterval(t *testing.T) {
	f := newFake(t)
	q := begin(t, setup(t, f))
	defer end(t, q)
	require.NoError(t, bring(q, 0, 1))
	eventually(t, "the row is stored", func() bool { return f.count() == 1 })
}

// TestInsertsArePaced: the first rows after a pause go at once, later ones wait for the interval, full blocks do not.
func TestInsertsArePaced(t *testing.T) {
	for _, mode := range []string{"memory", "storage"} {
		t.Run(mode, func(t *testing.T) {
			f := newFake(t)
			s := setup(t, f)
			s.InsertInterval = time.Hour
			if mode == "storage" {
				s.Storage = newDisk()
			}
			q := begin(t, s)
			require.NoError(t, bring(q, 0, 10))
			eventually(t, "the first rows are stored", func() bool { return f.count() == 10 })
			for i := 10; i < 60; i += 10 {
				require.NoError(t, bring(q, i, i+10))
				time.Sleep(2 * s.FlushInterval)
			}
			assert.Equal(t, 10, f.count(), "rows go on waiting for company")
			require.NoError(t, bring(q, 60, 110))
			if mode == "memory" {
				eventually(t, "the full block is stored", func() bool { return f.count() == 110 })
				assert.Equal(t, []int{10, 100}, f.sizes)
			} else {
				eventually(t, "the large chunk is stored", func() bool { return f.count() == 60 })
			}
			end(t, q)
		})
	}
}

// TestPacedRowsAreStoredAfterTheInterval, and at once when somebody waits for their room.
func TestPacedRowsAreStoredAfterTheInterval(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.InsertInterval = 100 * time.Millisecond
	q := begin(t, s)
	start := time.Now()
	for i := range 3 {
		require.NoError(t, bring(q, i, i+1))
		eventually(t, "the row is stored", func() bool { return f.count() == i+1 })
	}
	assert.GreaterOrEqual(t, time.Since(start), 2*s.InsertInterval)
	end(t, q)

	f = newFake(t)
	s = setup(t, f)
	s.InsertInterval, s.QueueRows = time.Hour, 100
	q = begin(t, s)
	for i := 0; i < 1000; i += 40 {
		require.NoError(t, bring(q, i, i+40))
	}
	end(t, q)
	f.once(1000)
}

func TestDurabilityDoesNotCostTheInterval(t *testing.T) {
	for _, mode := range []string{"storage", "wait_for_result"} {
		t.Run(mode, func(t *testing.T) {
			f := newFake(t)
			s := setup(t, f)
			s.FlushInterval = time.Minute
			s.WaitForResult = mode == "wait_for_result"
			if mode == "storage" {
				s.Storage = newDisk()
			}
			q := begin(t, s)
			start := time.Now()
			for i := range 20 {
				require.NoError(t, bring(q, i, i+1))
				if s.WaitForResult {
					assert.Equal(t, i+1, f.count(), "acknowledged before it was stored")
				}
			}
			assert.Less(t, time.Since(start), s.FlushInterval)
			end(t, q)
		})
	}
}

func TestCallersShareOneWriteToDisk(t *testing.T) {
	f := newFake(t)
	d := newDisk()
	const callers = 200
	var calls, batches atomic.Int32
	d.fail = func(ops []*storage.Operation) error {
		if ops[0].Type == storage.Set {
			for batches.Add(1); calls.Load() < callers; {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(10 * time.Millisecond)
		}
		return nil
	}
	s := setup(t, f)
	s.Storage = d
	q := begin(t, s)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			calls.Add(1)
			assert.NoError(t, bring(q, i, i+1))
		})
	}
	wg.Wait()
	assert.Less(t, batches.Load(), int32(60))
	eventually(t, "all rows are stored", func() bool { return f.count() == 200 })
	end(t, q)
	f.once(200)
	assert.Zero(t, d.entries())
}

func TestSmallChunksAreInsertedTogether(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.Storage = newDisk()
	s.FlushInterval = time.Second
	q := begin(t, s)
	for i := range 50 {
		require.NoError(t, bring(q, i, i+1))
	}
	eventually(t, "all rows are stored", func() bool { return f.count() == 50 })
	end(t, q)
	f.once(50)
	assert.LessOrEqual(t, len(f.sizes), 4, "%v", f.sizes)
}

func TestAFullQueueRefusesOrBlocks(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	s := setup(t, f)
	s.QueueRows, s.Block = 100, false
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 60))
	require.ErrorIs(t, bring(q, 60, 120), ErrFull)
	require.NoError(t, bring(q, 60, 100))
	f.set(nil)
	end(t, q)
	f.once(100)

	f = newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	s = setup(t, f)
	s.QueueRows = 100
	q = begin(t, s)
	require.NoError(t, bring(q, 0, 100))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, bringContext(ctx, q, 100, 101), context.DeadlineExceeded)
	time.AfterFunc(20*time.Millisecond, func() { f.set(nil) })
	require.NoError(t, bring(q, 100, 150), "as soon as there is room")
	end(t, q)
	f.once(150)
}

func TestTheQueueIsBoundedInBytes(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	s := setup(t, f)
	s.QueueRows, s.QueueBytes, s.Block, s.MaxRows = 1_000_000, 20_000, false, 1_000_000
	q := begin(t, s)
	var err error
	n := 0
	for ; err == nil && n < 100_000; n += 100 {
		err = bring(q, n, n+100)
	}
	require.ErrorIs(t, err, ErrFull)
	assert.Less(t, n, 5000)
	f.set(nil)
	end(t, q)
	f.once(n - 100)
}

func TestRowsOfAFailedWriteAreRefusedAndNotStored(t *testing.T) {
	f := newFake(t)
	d := newDisk()
	s := setup(t, f)
	s.Storage = d
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10))
	full := errors.New("no space left")
	d.mu.Lock()
	d.fail = func(ops []*storage.Operation) error {
		for _, op := range ops {
			if len(op.Value) > 50 {
				return full
			}
		}
		return nil
	}
	d.mu.Unlock()
	require.ErrorIs(t, bring(q, 10, 20), full)
	eventually(t, "earlier rows are stored", func() bool { return f.count() == 10 })
	d.mu.Lock()
	d.fail = nil
	d.mu.Unlock()
	require.NoError(t, bring(q, 10, 30))
	eventually(t, "later rows are stored", func() bool { return f.count() == 30 })
	end(t, q)
	f.once(30)
}

func TestBadRowsAreBuriedAndGoodOnesStored(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(label("storage %v", stored), func(t *testing.T) {
			f := newFake(t)
			f.set(func(r Request) *Outcome {
				for _, b := range r.Blocks {
					for _, n := range values(t, b) {
						if n == 37 || n == 61 {
							return &Outcome{Class: Permanent, Err: errFake}
						}
					}
				}
				return nil
			})
			s := setup(t, f)
			if stored {
				s.Storage = newDisk()
			}
			q := begin(t, s)
			for i := range 10 {
				require.NoError(t, bring(q, i*10, i*10+10))
			}
			eventually(t, "good rows are stored", func() bool { return f.count() == 98 })
			end(t, q)
			g, _ := s.DeadLetter.(*graves)
			assert.Equal(t, []uint64{37, 61}, g.all())
		})
	}
}

// TestARowThatIsTakenForBadAfterManyAttempts is found like one that is bad at once: parts do not begin to count again.
func TestARowThatIsTakenForBadAfterManyAttempts(t *testing.T) {
	f := newFake(t)
	f.set(func(r Request) *Outcome {
		switch {
		case !has(t, r, 77):
			return nil
		case r.Attempt < 10:
			return &Outcome{Class: Retry, Err: errFake}
		}
		return &Outcome{Class: Permanent, Err: errFake}
	})
	s := setup(t, f)
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 100))
	g, _ := s.DeadLetter.(*graves)
	eventually(t, "all rows are somewhere", func() bool { return f.count()+len(g.all()) == 100 })
	end(t, q)
	assert.Equal(t, []uint64{77}, g.all())
}

// answers in turn, the last one again and again; p is a rejection, r a failure that passes, anything else success.
func (f *fakeClickHouse) inTurn(answers string) {
	var n atomic.Int64
	f.set(func(Request) *Outcome {
		switch answers[min(int(n.Add(1)), len(answers))-1] {
		case 'p':
			return &Outcome{Class: Permanent, Err: errFake}
		case 'r':
			return &Outcome{Class: Retry, Err: errFake}
		}
		return nil
	})
}

// TestADivisionThatIsInterruptedGoesOn with what is left of it, although what was rejected would not be any more: somebody has put the
// table right.
func TestADivisionThatIsInterruptedGoesOn(t *testing.T) {
	f := newFake(t)
	f.inTurn("p" + "." + "p" + "." + "r" + ".") // the whole, a half, the other half, a quarter, the other quarter twice
	q := begin(t, setup(t, f))
	require.NoError(t, bring(q, 0, 100))
	eventually(t, "all rows are stored", func() bool { return f.count() == 100 })
	end(t, q)
	f.once(100)
}

// TestWhatIsLeftOfADivisionIsBuried when retries are given up, and by a shutdown; what is stored is not.
func TestWhatIsLeftOfADivisionIsBuried(t *testing.T) {
	for _, shutdown := range []bool{false, true} {
		t.Run(label("shutdown %v", shutdown), func(t *testing.T) {
			f := newFake(t)
			f.inTurn("p" + "." + "r")
			s := setup(t, f)
			s.DrainTimeout = 20 * time.Millisecond
			if !shutdown {
				s.Retry.MaxElapsedTime = 20 * time.Millisecond
			}
			q := begin(t, s)
			require.NoError(t, bring(q, 0, 100))
			g, _ := s.DeadLetter.(*graves)
			eventually(t, "a half is stored", func() bool { return f.count() == 50 })
			if !shutdown {
				eventually(t, "a half is buried", func() bool { return len(g.all()) > 0 })
			}
			end(t, q)
			f.once(50)
			require.Len(t, g.all(), 50)
			assert.Equal(t, uint64(50), g.all()[0])
			rows, bytes := q.gate.fill()
			assert.Zero(t, rows+bytes)
		})
	}
}

// TestBadRowsDoNotBuryGoodOnes: a part that is stored makes room for the search for more.
func TestBadRowsDoNotBuryGoodOnes(t *testing.T) {
	var bad []uint64
	for i := range 20 {
		bad = append(bad, uint64(500*i+321))
	}
	f := newFake(t)
	f.set(func(r Request) *Outcome {
		if has(t, r, bad...) {
			return &Outcome{Class: Permanent, Err: errFake}
		}
		return nil
	})
	s := setup(t, f)
	s.MaxRows = 10_000
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10_000))
	g, _ := s.DeadLetter.(*graves)
	eventually(t, "all rows are somewhere", func() bool { return f.count()+len(g.all()) == 10_000 })
	end(t, q)
	assert.Equal(t, bad, g.all())
}

func TestABlockOfBadRowsIsBuriedWithFewAttempts(t *testing.T) {
	f := newFake(t)
	var attempts atomic.Int32
	f.set(func(Request) *Outcome {
		attempts.Add(1)
		return &Outcome{Class: Permanent, Err: errFake}
	})
	s := setup(t, f)
	s.MaxRows = 5000
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 5000))
	g, _ := s.DeadLetter.(*graves)
	eventually(t, "all rows are buried", func() bool { return len(g.all()) == 5000 })
	end(t, q)
	assert.LessOrEqual(t, attempts.Load(), int32(maxDivisions+2))
}

func TestTooManyPartsMakesInsertsFewerAndLarger(t *testing.T) {
	f := newFake(t)
	var refusals atomic.Int32
	f.set(func(Request) *Outcome {
		if refusals.Add(1) <= 4 { // then the next insert has seconds to become large
			return &Outcome{Class: Throttle, Code: "252", Err: errFake}
		}
		return nil
	})
	s := setup(t, f)
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 100))
	eventually(t, "the refused rows are stored", func() bool { return f.count() == 100 })
	for i := 100; i < 1000; i += 10 {
		require.NoError(t, bring(q, i, i+10))
	}
	end(t, q)
	f.once(1000)
	assert.Equal(t, 100, f.sizes[0])
	assert.Greater(t, f.sizes[1], 700, "%v", f.sizes)
}

func TestWhatIsGivenUpIsBuried(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	s := setup(t, f)
	s.Retry.MaxElapsedTime = 20 * time.Millisecond
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10))
	g, _ := s.DeadLetter.(*graves)
	eventually(t, "the rows are buried", func() bool { return len(g.all()) == 10 })
	end(t, q)
}

// TestWhatIsGivenUpAndWasStoredComesBackUnderItsToken: the last answer of ClickHouse was lost.
func TestWhatIsGivenUpAndWasStoredComesBackUnderItsToken(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake, Unsure: true, Duplicate: true} })
	s := setup(t, f)
	s.Retry.MaxElapsedTime = 20 * time.Millisecond
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10))
	g, _ := s.DeadLetter.(*graves)
	eventually(t, "the rows are buried", func() bool { return len(g.all()) == 10 })
	f.set(nil)
	for id, ns := range g.rows {
		require.NoError(t, q.Replay(context.Background(), "t", 0, id, sealedNumbers(t, ns)))
	}
	end(t, q)
	f.once(10)
}

func TestShutdownBuriesWhatItCannotInsert(t *testing.T) {
	f := newFake(t)
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errFake} })
	s := setup(t, f)
	s.DrainTimeout = 50 * time.Millisecond
	s.ShardName = func(shard int) string { return label("shard %d", shard) }
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10))
	end(t, q)
	end(t, q)
	g, _ := s.DeadLetter.(*graves)
	assert.Len(t, g.all(), 10)
	assert.Equal(t, []string{"shard 0"}, g.shards)
	assert.ErrorIs(t, bring(q, 10, 20), ErrClosed)
}

// TestAShutdownWithoutTimeKeepsOpenBlocks, in the dead letters.
func TestAShutdownWithoutTimeKeepsOpenBlocks(t *testing.T) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 { // the queue's goroutine may be quicker
		f := newFake(t)
		s := setup(t, f)
		s.FlushInterval = time.Hour
		q := begin(t, s)
		require.NoError(t, bring(q, 0, 10))
		require.NoError(t, q.Shutdown(over))
		g, _ := s.DeadLetter.(*graves)
		require.Equal(t, 10, f.count()+len(g.all()))
	}
}

func TestBlocksSpanFewDays(t *testing.T) {
	f := newFake(t)
	s := setup(t, f)
	s.MaxDays = 10
	s.Storage = newDisk()
	var most atomic.Int32
	f.set(func(r Request) *Outcome {
		n := 0
		for _, b := range r.Blocks {
			n += b.Rows // each row is on a day of its own
		}
		if int32(n) > most.Load() {
			most.Store(int32(n))
		}
		return nil
	})
	q := begin(t, s)
	for i := range 20 {
		c, err := q.Begin(context.Background(), 3)
		require.NoError(t, err)
		l := c.Lane("t", 0, false)
		for j := range 3 {
			b, _ := l.Builder().(*numbers)
			b.n.Append64(uint64(i*3 + j))
			b.block.Rows++
			l.Added(pcommon.Timestamp(i*3+j) * nanosPerDay)
		}
		l.Unlock()
		require.NoError(t, c.Finish(context.Background()))
	}
	eventually(t, "all rows are stored", func() bool { return f.count() == 60 })
	end(t, q)
	assert.LessOrEqual(t, most.Load(), int32(10))
}
