package blockqueue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// sampler keeps what it is told of rows that are stored.
type sampler struct {
	ignore
	mu    sync.Mutex
	times []pcommon.Timestamp
}

func (s *sampler) Stored(_ string, sampled []pcommon.Timestamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, sampled...)
}

func (s *sampler) got() []pcommon.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.times
}

// bringAt brings the numbers from..to-1; number n is of second n.
func bringAt(t *testing.T, q *Queue, from, to int, stray bool) {
	t.Helper()
	c, err := q.Begin(context.Background(), to-from)
	require.NoError(t, err)
	l := c.Lane("t", 0, stray)
	for i := from; i < to; i++ {
		b, _ := l.Builder().(*numbers)
		b.n.Append64(uint64(i))
		b.block.Rows++
		l.Added(pcommon.Timestamp(i) * pcommon.Timestamp(time.Second))
	}
	l.Unlock()
	require.NoError(t, c.Finish(context.Background()))
}

func TestOneOfManyRowsIsSampledWhenItIsStored(t *testing.T) {
	f, seen := newFake(t), &sampler{}
	s := setup(t, f)
	s.MaxRows, s.Observer = 1000, seen
	q := begin(t, s)
	bringAt(t, q, 0, 300, false)
	bringAt(t, q, 300, 600, true) // of a time that says nothing
	eventually(t, "all rows are stored", func() bool { return f.count() == 600 })
	end(t, q)
	second := pcommon.Timestamp(time.Second)
	assert.Equal(t, []pcommon.Timestamp{0, 128 * second, 256 * second}, seen.got())
}

func TestRowsOfAnEarlierRunAreSampledByTheirArrival(t *testing.T) {
	f, seen := newFake(t), &sampler{}
	s := setup(t, f)
	s.MaxRows, s.Observer, s.Storage, s.DrainTimeout = 1000, seen, newDisk(), time.Millisecond
	f.set(func(Request) *Outcome { return &Outcome{Class: Retry, Err: errors.New("away")} })
	q := begin(t, s)
	before := time.Now()
	bringAt(t, q, 0, 300, false)
	end(t, q)
	require.Empty(t, seen.got(), "nothing was stored")
	f.set(func(Request) *Outcome { return nil })
	q = begin(t, s)
	eventually(t, "all rows are stored", func() bool { return f.count() == 300 })
	end(t, q)
	require.Len(t, seen.got(), 3)
	for _, at := range seen.got() {
		assert.WithinRange(t, at.AsTime(), before, time.Now())
	}
}
