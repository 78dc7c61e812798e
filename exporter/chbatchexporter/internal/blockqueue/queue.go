package blockqueue

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Queue takes rows and inserts them. Make one with Start, end it with Shutdown.
type Queue struct {
	set   Settings
	gate  *gate
	store *store // nil: in memory only

	encoding    atomic.Int64 // calls between Begin and Finish
	latest      atomic.Int64 // when the last call was finished, in Unix nanoseconds
	groupCommit groupCommit
	compressors sync.Pool
	wake        chan struct{}

	// ctx ends attempts; drained is closed when run has ended.
	ctx     context.Context
	cancel  context.CancelFunc
	drained chan struct{}

	mu       sync.Mutex
	lanes    map[laneKey]*lane
	order    []*lane
	sealed   []*chunk  // not committed yet
	grouped  []*insert // whose composition is not committed yet
	done     []uint64  // numbers in the storage that are not needed any more
	kept     []uint64  // numbers whose entries stay although they are in no insert any more
	inflight int
	draining bool
	attempts sync.WaitGroup
}

// Start reads what the storage holds and begins to insert.
func Start(ctx context.Context, set Settings) (*Queue, error) {
	q := &Queue{
		set: set, lanes: map[laneKey]*lane{}, wake: make(chan struct{}, 1), drained: make(chan struct{}),
	}
	q.gate = &gate{maxRows: set.QueueRows, maxBytes: set.QueueBytes, block: set.Block, held: q.wakeUp}
	q.compressors.New = func() any {
		c, err := nativeblock.NewCompressor(set.Compression)
		if err != nil {
			return err
		}
		return c
	}
	if err, bad := q.compressors.New().(error); bad {
		return nil, err
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	if set.Storage != nil {
		q.store = newStore(set.Storage, set.Observer.Written)
		if err := q.restore(ctx); err != nil {
			q.cancel()
			return nil, fmt.Errorf("read the queue: %w", err)
		}
	}
	go q.run()
	q.wakeUp()
	return q, nil
}

// Fill is what the queue holds.
type Fill struct {
	Rows, Bytes int
	// Blocks that are sealed and not inserted.
	Blocks int
	// Oldest is when the oldest row came that is not inserted; zero: there is none.
	Oldest time.Time
}

// Fill of the whole queue.
func (q *Queue) Fill() Fill {
	var f Fill
	f.Rows, f.Bytes = q.gate.fill()
	for _, l := range q.allLanes() {
		if since, ok := l.openSince(); ok {
			f.Oldest = oldest(f.Oldest, since)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.order {
		l.eachWaiting(func(c *chunk) {
			f.Blocks++
			f.Oldest = oldest(f.Oldest, c.since)
		})
	}
	f.Blocks += q.inflight
	return f
}

// FillByTable is the number of rows that are not inserted, by table: in the open block, sealed, and under way.
func (q *Queue) FillByTable() map[string]int {
	out := map[string]int{}
	for _, l := range q.allLanes() {
		l.mu.Lock()
		if l.open != nil {
			out[l.table] += l.open.builder.Block().Rows
		}
		l.mu.Unlock()
		q.mu.Lock()
		out[l.table] += l.flying
		l.eachWaiting(func(c *chunk) { out[l.table] += c.rows })
		q.mu.Unlock()
	}
	return out
}

func oldest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// eachWaiting calls fn for chunks that no attempt is under way for. With q.mu held.
func (l *lane) eachWaiting(fn func(*chunk)) {
	for _, c := range l.chunks {
		fn(c)
	}
	for _, ins := range l.retrying {
		for _, c := range ins.chunks {
			fn(c)
		}
	}
}

// sync tells whether callers wait in Finish.
func (q *Queue) sync() bool { return q.store != nil || q.set.WaitForResult }

func (q *Queue) lane(key laneKey) *lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[key]
	if l == nil {
		l = &lane{q: q, laneKey: key}
		l.factor.Store(1)
		q.lanes[key] = l
		q.order = append(q.order, l)
	}
	return l
}

func (q *Queue) allLanes() []*lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order[:len(q.order):len(q.order)]
}

func (q *Queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run seals, commits and starts inserts until the queue is shut down.
func (q *Queue) run() {
	defer close(q.drained)
	timer := time.NewTimer(q.set.FlushInterval)
	defer timer.Stop()
	for {
		select {
		case <-q.wake:
		case <-timer.C:
		case <-q.ctx.Done():
			return
		}
		now, draining := time.Now(), q.isDraining()
		q.sealDue(now)
		q.commit()
		for q.launch(now) {
			q.commit()
		}
		if draining && q.finished() {
			return
		}
		timer.Reset(q.nextDue(time.Now()))
	}
}

// nextDue is how long nothing needs to be done unless somebody wakes the queue.
func (q *Queue) nextDue(now time.Time) time.Duration {
	next := now.Add(time.Second)
	for _, l := range q.allLanes() {
		if since, ok := l.openSince(); ok {
			next = sooner(next, since.Add(q.set.FlushInterval), now)
			if q.store != nil {
				next = sooner(next, since.Add(commitDelay), now)
				next = sooner(next, time.Unix(0, q.latest.Load()).Add(commitPause), now)
			}
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.order {
		next = sooner(next, l.nextSmall(), now)
		if l.failing {
			next = sooner(next, l.notBefore, now)
		}
		if len(l.chunks) > 0 {
			next = sooner(next, l.dueAt(l.chunks[0].since), now)
		}
		for _, ins := range l.retrying {
			next = sooner(next, ins.next, now)
		}
	}
	return max(next.Sub(now), time.Millisecond)
}

// sooner takes b when it is before a. What is due already waits for something else, which wakes the queue.
func sooner(a, b, now time.Time) time.Time {
	if b.After(now) && b.Before(a) {
		return b
	}
	return a
}
