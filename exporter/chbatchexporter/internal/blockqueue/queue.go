package blockqueue

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Queue takes rows and inserts them. Make one with Start, end it with Shutdown.
type Queue struct {
	set   Settings
	gate  *gate
	store *store // nil: in memory only

	encoding    atomic.Int64 // calls between Begin and Finish
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
	inflight int
	draining bool
	attempts sync.WaitGroup
}

// Start reads what the storage holds and begins to insert.
func Start(ctx context.Context, set Settings) (*Queue, error) {
	q := &Queue{
		set: set, lanes: map[laneKey]*lane{}, wake: make(chan struct{}, 1), drained: make(chan struct{}),
		gate: &gate{maxRows: set.QueueRows, maxBytes: set.QueueBytes, block: set.Block},
	}
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
		q.store = newStore(set.Storage)
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

func (q *Queue) isDraining() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.draining
}

// finished tells whether a shutdown has nothing left to do once open blocks are sealed: with storage what is not inserted is on disk.
func (q *Queue) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inflight > 0 || len(q.sealed) > 0 {
		return false
	}
	if q.store != nil {
		return true
	}
	for _, l := range q.order {
		if len(l.chunks) > 0 || len(l.retrying) > 0 {
			return false
		}
	}
	return true
}

// nextDue is how long nothing needs to be done unless somebody wakes the queue.
func (q *Queue) nextDue(now time.Time) time.Duration {
	next := now.Add(time.Second)
	for _, l := range q.allLanes() {
		if since, ok := l.openSince(); ok {
			next = sooner(next, since.Add(q.interval(l)), now)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.order {
		if l.failing {
			next = sooner(next, l.notBefore, now)
		}
		if len(l.chunks) > 0 {
			next = sooner(next, l.chunks[0].since.Add(q.interval(l)), now)
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

// interval is the longest wait for a block to fill. It grows when ClickHouse asks for fewer inserts.
func (q *Queue) interval(l *lane) time.Duration {
	f := time.Duration(l.factor.Load())
	if f == 1 {
		return q.set.FlushInterval
	}
	return max(q.set.FlushInterval, throttleInterval) * f
}

// throttleInterval times the factor is the time between inserts into a table that has too many parts.
const throttleInterval = 250 * time.Millisecond

// sealDue seals open blocks whose time has come.
func (q *Queue) sealDue(now time.Time) {
	for _, l := range q.allLanes() {
		idle, drain := q.idle(l)
		b := l.take(func(b *openBlock) bool { return drain || q.due(b, now, idle) })
		if b != nil {
			q.seal(b)
		}
	}
}

// due decides when rows stop waiting for company.
func (q *Queue) due(b *openBlock, now time.Time, idle bool) bool {
	late := now.Sub(b.since) >= q.interval(b.lane)
	switch {
	case q.store != nil:
		// Callers wait for the disk only, and small chunks are put together again when they are inserted.
		return late || q.encoding.Load() == 0
	case q.set.WaitForResult:
		return idle && (late || q.encoding.Load() == 0)
	}
	// While inserts into the table are under way or fail, its block may as well grow.
	return late && idle
}

// idle tells whether an insert of the lane's rows could begin now.
func (q *Queue) idle(l *lane) (idle, draining bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	busy := len(l.chunks) > 0 || l.failing || q.inflight >= q.set.Workers || l.factor.Load() > 1 && l.inflight > 0
	if q.set.WaitForResult {
		busy = busy || l.inflight > 0
	}
	return !busy, q.draining
}

// seal compresses a block on the goroutine of its caller.
func (q *Queue) seal(b *openBlock) {
	comp, _ := q.compressors.Get().(*nativeblock.Compressor)
	sealed, err := b.builder.Block().Seal(comp)
	q.compressors.Put(comp)
	rows := b.builder.Block().Rows
	b.lane.recycle(b.builder)
	if err != nil { // a mistake in a builder; nothing that data can cause
		q.set.Logger.Error("A block could not be sealed", zap.String("table", b.lane.table), zap.Error(err))
		q.set.Observer.Lost(b.lane.table, rows)
		q.gate.change(-rows, -b.accounted)
		q.mu.Lock()
		defer q.mu.Unlock()
		settleAll(b.calls, err)
		return
	}
	c := &chunk{
		id: newID(), lane: b.lane, since: b.since, rows: rows, size: sealed.Size(), block: sealed, calls: b.calls, days: len(b.days),
		solo: q.store == nil || rows >= q.set.MaxRows/2,
	}
	q.gate.change(0, c.size-b.accounted)
	q.mu.Lock()
	q.sealed = append(q.sealed, c)
	q.mu.Unlock()
	q.wakeUp()
}

// Shutdown refuses new rows, inserts what waits in memory until the drain timeout or ctx ends, and stops. With storage,
// attempts under way may end, everything else stays on disk.
func (q *Queue) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, q.set.DrainTimeout)
	defer cancel()
	q.gate.close()
	q.waitForCallers(ctx)
	q.mu.Lock()
	q.draining = true
	for _, l := range q.order {
		l.notBefore = time.Time{}
		for _, ins := range l.retrying {
			ins.next = time.Time{}
		}
	}
	q.mu.Unlock()
	q.wakeUp()
	select {
	case <-q.drained:
	case <-ctx.Done():
	}
	q.cancel()
	<-q.drained
	q.attempts.Wait()
	return q.close(ctx)
}

// waitForCallers lets calls finish that are appending right now.
func (q *Queue) waitForCallers(ctx context.Context) {
	for q.encoding.Load() > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// close deals with what is left.
func (q *Queue) close(ctx context.Context) error {
	if q.store != nil {
		q.commit()
		q.settleLeft()
		return q.store.close(context.WithoutCancel(ctx))
	}
	left := q.settleLeft()
	for _, c := range left {
		_ = q.bury(c.lane.table, c.id, c.block, ErrClosed) // logged and counted there
	}
	q.release(left, ErrClosed, 0)
	return nil
}

// settleLeft returns the chunks that are not inserted. Nobody waits for them any more.
func (q *Queue) settleLeft() []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.sealed
	for _, l := range q.order {
		l.eachWaiting(func(c *chunk) { left = append(left, c) })
		l.chunks, l.retrying = nil, nil
	}
	q.sealed = nil
	for _, c := range left {
		settleAll(c.calls, ErrClosed)
		c.calls = nil
	}
	return left
}
