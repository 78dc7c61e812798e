package avikareceiver

import (
	"runtime"
	"sync"
	"time"
)

// gatherer hands over what several streams have ready in one call, because a call to the pipelines costs the same whether it brings
// one record or a thousand.
type gatherer struct {
	receiver *avikaReceiver
	// maxCalls is how many calls may be under way.
	maxCalls int

	mu      sync.Mutex
	parcels []parcel
	records int
	// full says that a stream waits with a whole batch, due that the time of the oldest batch is over; underWay are calls that are
	// not over.
	full, due bool
	underWay  int
	timer     *time.Timer
}

const (
	// gatherRecords are enough for a call. More would only take longer to write than caches hold them.
	gatherRecords = 1000
	// busyCalls is how many calls may be under way when one more is made at once for a stream with a whole batch.
	busyCalls = 2
	// callBytes is what the records of a call take, the text that they came with included.
	callBytes = 3 << 20
)

// gatherers are one for batches with log entries and one for those with nothing but samples, which a pipeline of logs that is behind
// does not hold up.
type gatherers struct {
	entries, samples *gatherer
}

// newGatherers returns nothing when streams have to be handed over alone, because pipelines may see whose they are.
func newGatherers(r *avikaReceiver) *gatherers {
	c := r.config
	if c.Batch.Gather == 0 || c.Batch.Partitions > 0 || c.IncludeMetadata || c.Auth.HasValue() {
		return nil
	}
	return &gatherers{entries: newGatherer(r), samples: newGatherer(r)}
}

// add takes the batch of a stream, full when the stream is in a hurry.
func (g *gatherers) add(p parcel, full bool) {
	if len(p.batch.entries) > 0 {
		g.entries.add(p, full)
	} else {
		g.samples.add(p, full)
	}
}

// maxCalls is how many calls have room in the bytes that may be pending: a record in a call takes some three times the memory of one that waits
// as it came. Fewer than two for each processor would leave some idle while calls wait for a disk.
func maxCalls(pendingBytes int) int { return max(pendingBytes/callBytes, 2*runtime.GOMAXPROCS(0)) }

func newGatherer(r *avikaReceiver) *gatherer {
	g := &gatherer{receiver: r, maxCalls: maxCalls(r.config.Limits.PendingBytes)}
	g.timer = time.AfterFunc(time.Hour, g.expire)
	g.timer.Stop()
	return g
}

// add takes the batch of a stream. It goes with the next call: at once when there is enough for one, or when its stream is in a hurry
// and the pipelines are not busy.
func (g *gatherer) add(p parcel, full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.receiver.work.Add(1)
	if len(g.parcels) == 0 {
		g.timer.Reset(g.receiver.config.Batch.Gather)
	}
	g.parcels = append(g.parcels, p)
	g.records += p.batch.records()
	g.full = g.full || full
	g.launch()
}

// launch makes the calls that need not wait for more. With g.mu locked.
func (g *gatherer) launch() {
	for g.underWay < g.maxCalls && g.ready() {
		g.underWay++
		parcels := g.take()
		go g.call(parcels)
	}
}

func (g *gatherer) ready() bool {
	return g.records >= gatherRecords || g.records > 0 && (g.due || g.full && g.underWay < busyCalls)
}

// take returns the oldest batches, enough for a call. What is left when calls have been held up has waited for long.
func (g *gatherer) take() []parcel {
	n, records := 0, 0
	for ; n < len(g.parcels) && records < gatherRecords; n++ {
		records += g.parcels[n].batch.records()
	}
	parcels := g.parcels[:n:n]
	g.parcels, g.records = g.parcels[n:], g.records-records
	if len(g.parcels) == 0 {
		g.parcels, g.full, g.due = nil, false, false
		g.timer.Stop()
	}
	return parcels
}

func (g *gatherer) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.due = len(g.parcels) > 0
	g.launch()
}

func (g *gatherer) call(parcels []parcel) {
	defer g.receiver.work.Add(-len(parcels))
	g.receiver.deliver(g.receiver.life, parcels)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	g.launch()
}
