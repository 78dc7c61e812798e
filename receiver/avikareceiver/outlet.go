package avikareceiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// outlet carries what a stream receives to the pipeline: one batch is being filled while the one before is delivered. When the
// first is full and the second is not done, its reader waits, and HTTP/2's flow control holds the agent back.
type outlet struct {
	receiver *avikaReceiver
	// ctx outlives the stream, so that what was read is delivered though its agent is gone.
	ctx context.Context
	// paused and received are the stream's.
	paused   *atomic.Bool
	received *atomic.Int64

	mu      sync.Mutex
	pending pending
	// delivering says that a batch is with the pipeline; due that the pending one need not wait for more.
	delivering, due, closed bool
	// onlySamples says that there were no entries in the batch before, if there was one.
	onlySamples bool
	timer       *time.Timer
	// room gets a token when a delivery is done.
	room chan struct{}
}

func newOutlet(r *avikaReceiver, ctx context.Context, s *stream) *outlet {
	return &outlet{receiver: r, ctx: ctx, paused: &s.paused, received: &s.received, room: make(chan struct{}, 1), onlySamples: true}
}

// admission is the answer to a message that wants to be held.
type admission int

const (
	admitted admission = iota
	// later: there is no room now, and nobody waited for it.
	later
	// refused: the receiver has given up before there was room. The message is dropped, and counted.
	refused
)

// log adds a log entry of the stream.
func (o *outlet) log(s *stream, encoded []byte, size int, wait bool) admission {
	if !o.receiver.translation.Logs && !o.receiver.translation.Spans {
		s.now()
		return admitted
	}
	if answer := o.makeRoom(size, wait); answer != admitted {
		o.giveUp(answer, signalLogs)
		return answer
	}
	if len(o.pending.entries)%entriesPerClock == 0 {
		s.now()
	}
	o.pending.add(s.agent.Resource(), translate.Entry{
		Encoded: o.pending.keep(encoded), Queued: s.message.Timestamp, Received: s.received.Load(),
	})
	o.added(size)
	return admitted
}

// metrics adds a sample like log.
func (o *outlet) metrics(s *stream, message *wire.Metrics, now int64, size int, wait bool) admission {
	if !o.receiver.translation.Metrics {
		return admitted
	}
	if answer := o.makeRoom(size, wait); answer != admitted {
		o.giveUp(answer, signalMetrics)
		return answer
	}
	if o.pending.samples == nil {
		o.pending.samples = *sampleLists.Get().(*[]translate.Sample)
	}
	o.pending.samples = s.agent.AddSample(o.pending.samples, message, s.message.Timestamp, now)
	o.added(size)
	return admitted
}

func (o *outlet) giveUp(answer admission, signal string) {
	if answer == refused {
		o.receiver.telemetry.dropped(signal, refusedShutdown, 1, nil)
	}
}

// makeRoom finds room for another message, and waits for it if it may. When the message is admitted, o.mu is locked.
func (o *outlet) makeRoom(size int, wait bool) admission {
	o.mu.Lock()
	for o.full() && o.delivering {
		o.mu.Unlock()
		if answer := o.pause(wait); answer != admitted {
			return answer
		}
		o.mu.Lock()
	}
	need := int64(o.pending.bytes+size) - o.pending.reserved
	if need <= 0 {
		return admitted
	}
	// Reserving as much again keeps the number of reservations low, and the excess below what is held.
	need = max(need, min(o.pending.reserved, maxReservation))
	if o.receiver.pending.try(need) {
		o.pending.reserved += need
		return admitted
	}
	o.mu.Unlock()
	return o.waitForBudget(need, wait)
}

const maxReservation = 64 << 10

func (o *outlet) waitForBudget(need int64, wait bool) admission {
	o.receiver.telemetry.limit("pending_bytes", "Paused reading, because the pipelines are behind by limits::pending_bytes")
	o.paused.Store(true)
	defer o.resume()
	answer := o.receiver.pending.wait(o.receiver.life, need, enough(wait))
	if answer == admitted {
		o.mu.Lock()
		o.pending.reserved += need
	}
	return answer
}

// briefly is how long the reader of a connection waits for a delivery. It is cheaper to leave data in the socket than to hold them, but
// pings have to be answered before long.
const briefly = time.Second

// enough is when somebody has waited for long enough: never, unless there are pings to be answered.
func enough(wait bool) <-chan time.Time {
	if wait {
		return nil
	}
	return time.After(briefly)
}

// pause waits for the end of a delivery, briefly unless it may wait longer.
func (o *outlet) pause(wait bool) admission {
	o.paused.Store(true)
	defer o.resume()
	select {
	case <-o.room:
		return admitted
	case <-enough(wait):
		return later
	case <-o.receiver.life.Done():
		return refused
	}
}

// resume says that the stream is read again. It has not been silent meanwhile: it was not listened to.
func (o *outlet) resume() {
	o.received.Store(time.Now().UnixNano())
	o.paused.Store(false)
}

func (o *outlet) full() bool {
	return len(o.pending.entries) >= o.receiver.config.Batch.MaxRecords || o.pending.bytes >= o.receiver.config.Batch.MaxBytes
}

// added accounts for what was added and unlocks.
func (o *outlet) added(size int) {
	first := o.pending.bytes == 0
	o.pending.bytes += size
	switch {
	case o.delivering:
		if first {
			o.arm()
		}
	case o.full(), first && o.lone():
		o.handOver()
	case first:
		o.arm()
	}
	o.mu.Unlock()
}

// lone says that samples need not wait for company from their own stream, which has sent nothing else of late. They find that of others
// in the gatherer, and thousands of quiet streams need no timer each second.
func (o *outlet) lone() bool {
	return o.onlySamples && len(o.pending.samples) > 0 && len(o.pending.entries) == 0 && o.receiver.gatherers != nil
}

// arm makes the batch due after the configured time.
func (o *outlet) arm() {
	if o.timer == nil {
		o.timer = time.AfterFunc(o.receiver.config.Batch.Timeout, o.expire)
		return
	}
	o.timer.Reset(o.receiver.config.Batch.Timeout)
}

func (o *outlet) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed || o.pending.bytes == 0:
	case o.delivering:
		o.due = true
	default:
		o.handOver()
	}
}

// close delivers what is left. The reader calls it when it has read its last message.
func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
	if !o.delivering && o.pending.bytes > 0 {
		o.handOver()
	}
}

// handOver gives the batch to the pipelines, with those of other streams where that is allowed. With o.mu locked.
func (o *outlet) handOver() {
	o.delivering = true
	full := o.full()
	p := parcel{o, o.take()}
	if g := o.receiver.gatherers; g != nil {
		g.add(p, full)
		return
	}
	o.receiver.work.Go(func() { o.receiver.deliver(o.ctx, []parcel{p}) })
}

// take leaves an empty batch behind.
func (o *outlet) take() pending {
	batch := o.pending
	o.onlySamples = len(batch.entries) == 0
	o.pending, o.due = pending{expected: batch.bytes}, false
	return batch
}

// delivered gives the room of a batch back, and hands over the next one if it is due.
func (o *outlet) delivered(batch *pending) {
	o.receiver.pending.release(batch.reserved)
	o.mu.Lock()
	if o.pending.bytes > 0 && (o.due || o.closed || o.full() || o.lone()) {
		o.handOver()
	} else {
		o.delivering = false
	}
	o.mu.Unlock()
	select {
	case o.room <- struct{}{}:
	default:
	}
}
