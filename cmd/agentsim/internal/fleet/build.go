package fleet

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/traffic"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
)

// batchBytes bounds one batch; while rows are due, batches follow each other without a pause.
const batchBytes = 64 << 10

// build is a batch with what is needed to count it once it is handed over. Builds are shared between the agents, of
// which few send at the same moment.
type build struct {
	batch link.Batch
	items []item // one per message
}

type item struct {
	kind  kind
	facts traffic.Facts // of an entry
}

var builds = sync.Pool{New: func() any { return new(build) }}

func takeBuild() *build { return builds.Get().(*build) }

func (b *build) release() {
	b.batch.Reset()
	b.items = b.items[:0]
	builds.Put(b)
}

func (b *build) bootstrap(a *agent, now time.Time) {
	b.message(a, now, kindBootstrap, wireform.FieldHeartbeat, a.who.heartbeat(now.Sub(a.start).Seconds(), true))
}

func (b *build) message(a *agent, at time.Time, k kind, field protowire.Number, m proto.Message) {
	msg, err := wireform.AppendPayload(nil, a.who.id, at.Unix(), field, m)
	if err != nil {
		a.totals.problem(err)
		return
	}
	b.batch.Append(msg)
	b.items = append(b.items, item{kind: k})
}

// fill adds what is due: heartbeats and samples first, then log entries up to the size of a batch.
func (b *build) fill(a *agent, now time.Time) {
	until := now
	if !a.end.IsZero() && until.After(a.end) {
		until = a.end.Add(-1)
	}
	b.heartbeats(a, now, until)
	for s := &a.due.metrics; s.isDue(until) && b.batch.Size() < batchBytes; s.advance() {
		b.message(a, s.next, kindMetrics, wireform.FieldMetrics, a.sample(s.next))
	}
	for s := &a.due.state; s.isDue(until) && b.batch.Size() < batchBytes; s.advance() {
		b.message(a, s.next, kindState, wireform.FieldState, a.who.state(s.next.Unix()))
	}
	b.entries(a, now)
}

func (b *build) heartbeats(a *agent, now, until time.Time) {
	if a.due.fullIsDue(now) {
		b.message(a, now, kindHeartbeat, wireform.FieldHeartbeat, a.who.heartbeat(now.Sub(a.start).Seconds(), false))
		a.due.full = time.Time{}
	}
	for s := &a.due.heartbeat; s.isDue(until) && b.batch.Size() < batchBytes; s.advance() {
		b.message(a, s.next, kindHeartbeat, wireform.FieldHeartbeat, a.who.heartbeat(s.next.Sub(a.start).Seconds(), false))
	}
}

func (b *build) entries(a *agent, now time.Time) {
	if a.cfg.Rate == 0 {
		return
	}
	last := a.entriesDue(now)
	if a.cfg.Rate == Unlimited {
		last = a.unlimited(now)
	}
	at := now.UnixMilli()
	for n := a.sent; n < last && b.batch.Size() < batchBytes; n++ {
		if a.cfg.Rate > 0 {
			at = a.timeOf(n).UnixMilli()
		}
		b.entry(a, n, at, kindEntry)
		if a.follow {
			b.entry(a, n, at, kindAnswer)
		}
	}
}

// unlimited is where entries end when there is no rate.
func (a *agent) unlimited(now time.Time) int64 {
	switch {
	case !a.end.IsZero() && !now.Before(a.end):
		return a.sent
	case a.limit >= 0:
		return a.limit
	}
	return a.sent + 1<<20
}

func (b *build) entry(a *agent, n, unixMilli int64, k kind) {
	seq := uint64(n)
	facts := a.writer.Write(b.batch.Extend(a.writer.Size(seq)), seq, unixMilli)
	b.items = append(b.items, item{kind: k, facts: facts})
}

// send hands the batch over and counts what was taken; the rest stays due, but for single heartbeats and samples.
func (b *build) send(ctx context.Context, a *agent, s link.Stream) error {
	taken, err := s.Send(ctx, &b.batch)
	if taken == b.batch.Len() {
		a.totals.bytes.Add(int64(b.batch.Size()))
	}
	var t tally
	for i := range b.items[:taken] {
		it := &b.items[i]
		t.sent[it.kind]++
		if it.kind == kindEntry {
			a.count(&it.facts, &t)
		}
	}
	t.addTo(a.totals)
	return err
}

// tally keeps the shared counters out of the loop over messages.
type tally struct {
	sent      [kinds]int64
	status    [6]int64
	bodyBytes int64
}

func (t *tally) addTo(all *totals) {
	all.bodyBytes.Add(t.bodyBytes)
	for k, n := range t.sent {
		if n > 0 {
			all.sent[k].Add(n)
		}
	}
	for class, n := range t.status {
		if n > 0 {
			all.status[class].Add(n)
		}
	}
}
