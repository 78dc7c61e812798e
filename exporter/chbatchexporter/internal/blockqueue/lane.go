package blockqueue

import (
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// laneKey names a lane.
type laneKey struct {
	table string
	shard int
	// stray rows are far from the present, and would spread a block of others over many partitions.
	stray bool
}

// lane is the way of the rows of one table to one shard.
type lane struct {
	q *Queue
	laneKey

	mu   sync.Mutex
	open *openBlock
	free []rows.Builder

	// factor is how many times larger than usual inserts are: more than 1 after ClickHouse asked for fewer.
	factor atomic.Int32

	// Guarded by q.mu.
	chunks   []*chunk  // safe, and in no insert yet
	rows     int       // of chunks
	retrying []*insert // failed, to be tried again
	inflight int
	flying   int // rows of inserts under way
	calm     time.Time
	failing  bool // the last attempt failed: one insert at a time until one succeeds
	// delay between attempts while they fail, and when the next one may be made.
	delay     time.Duration
	notBefore time.Time
	fresh     bool      // the next attempt is for rows that did not fail yet
	last      time.Time // when the latest insert was made up
}

// openBlock is a block that takes rows.
type openBlock struct {
	lane    *lane
	builder rows.Builder
	since   time.Time
	calls   []*Call
	// days that its rows fall on, mostly one.
	days []int64
	// sampled are the times of some of its rows.
	sampled []pcommon.Timestamp
	// accounted bytes at the gate.
	accounted int
	// record names what brought the rows, part counts its blocks; see Call.Record.
	record string
	part   int
}

// How many builders a lane keeps for reuse: one for the next block, one for what seals at the same time; blocks of records grow beside
// one another.
const (
	maxFree       = 2
	maxFreeRecord = 16
)

// pressEvery is after how many rows the open block's columns are compressed where that is worth it.
const pressEvery = 64

func (l *lane) newBlock() *openBlock {
	b := &openBlock{lane: l, since: time.Now()}
	if n := len(l.free); n > 0 {
		b.builder = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		b.builder = l.q.set.NewBuilder(l.table)
	}
	return b
}

// recycle keeps the builder's memory for the next block.
func (l *lane) recycle(b *openBlock) {
	keep := maxFree
	if b.record != "" {
		keep = maxFreeRecord
	}
	b.builder.Reset()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) < keep {
		l.free = append(l.free, b.builder)
	}
}

// addDay returns how many different days the block has.
func (b *openBlock) addDay(day int64) int {
	for i := len(b.days) - 1; i >= 0; i-- {
		if b.days[i] == day {
			return len(b.days)
		}
	}
	b.days = append(b.days, day)
	return len(b.days)
}

// account tells the gate how large an open block has become. Only who may append to it may ask.
func (q *Queue) account(b *openBlock) {
	if b == nil {
		return
	}
	block := b.builder.Block()
	if b.record == "" {
		q.press(block)
	}
	size := block.Held()
	q.gate.change(0, size-b.accounted)
	b.accounted = size
}

func (l *lane) maxRows() int { return l.q.set.MaxRows * int(l.factor.Load()) }

// take removes the open block when due says so.
func (l *lane) take(due func(*openBlock) bool) *openBlock {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.open
	if b == nil || !due(b) {
		return nil
	}
	l.open = nil
	return b
}

// openSince is when the first row of the open block came; false when there is none.
func (l *lane) openSince() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return time.Time{}, false
	}
	return l.open.since, true
}
