package avikareceiver

import (
	"sync"
	"time"
)

// gatherer hands over what several streams have ready in one call, because a call to the pipelines costs the same whether it brings
// one record or a thousand.
type gatherer struct {
	receiver *avikaReceiver

	mu      sync.Mutex
	parcels []parcel
	records int
	// full says that a stream waits with a whole batch; underWay are calls that are not over.
	full     bool
	underWay int
	timer    *time.Timer
}

const (
	// gatherRecords are enough for a call. More would only take longer to write than caches hold them.
	gatherRecords = 1000
	// busyCalls is how many calls may be under way when one more is made at once for a stream with a whole batch.
	busyCalls = 2
)

// newGatherer returns nothing when streams have to be handed over alone, because pipelines may see whose they are.
func newGatherer(r *avikaReceiver) *gatherer {
	c := r.config
	if c.Batch.Gather == 0 || c.Batch.Partitions > 0 || c.IncludeMetadata || c.Auth.HasValue() {
		return nil
	}
	g := &gatherer{receiver: r}
	g.timer = time.AfterFunc(time.Hour, g.expire)
	g.timer.Stop()
	return g
}

// add takes the batch of a stream. It goes with the next call: at once when there is enough for one, or when its stream is in a hurry
// and the pipelines are not busy.
func (g *gatherer) add(p parcel, full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.parcels) == 0 {
		g.receiver.work.Add(1)
		g.timer.Reset(g.receiver.config.Batch.Gather)
	}
	g.parcels = append(g.parcels, p)
	g.records += len(p.batch.entries) + len(p.batch.samples)
	g.full = g.full || full
	g.launchIfReady()
}

// launchIfReady makes a call that need not wait for more. With g.mu locked.
func (g *gatherer) launchIfReady() {
	if g.records >= gatherRecords || g.full && g.underWay < busyCalls {
		g.launch()
	}
}

// launch makes a call with all there is. With g.mu locked.
func (g *gatherer) launch() {
	parcels := g.parcels
	g.parcels, g.records, g.full = nil, 0, false
	g.underWay++
	g.timer.Stop()
	go g.call(parcels)
}

func (g *gatherer) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.parcels) > 0 {
		g.launch()
	}
}

func (g *gatherer) call(parcels []parcel) {
	defer g.receiver.work.Done()
	g.receiver.deliver(g.receiver.life, parcels)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	g.launchIfReady()
}
