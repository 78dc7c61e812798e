package fleet

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/counters"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/traffic"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// agent is one simulated agent. All of it belongs to the goroutine of run, but for the commands channel.
type agent struct {
	cfg    *Config
	totals *totals
	who    identity
	writer *traffic.Writer

	epoch     time.Time // of the fleet
	start     time.Time
	end       time.Time // zero: none
	limit     int64     // of entries; below 0: none
	sent      int64     // entries handed over
	due       schedules
	traffic   counters.Traffic
	sentBytes int64

	// hopeless says that a stream which was opened after the end of the traffic could not do what it was for.
	hopeless bool
	follow   bool
	commands chan *agentv1.ServerCommand
}

func newAgent(f *fleet, i int) *agent {
	who := f.cfg.identity(i)
	a := &agent{
		cfg: &f.cfg, totals: &f.totals, who: who, limit: f.cfg.entries(i),
		writer:   traffic.NewWriter(f.rows, f.cfg.Run, uint32(i), who.id),
		epoch:    f.began,
		commands: make(chan *agentv1.ServerCommand, 16),
	}
	a.start = time.Now()
	if f.cfg.Duration > 0 {
		a.end = a.start.Add(f.cfg.Duration)
	}
	a.due = newSchedules(&f.cfg, a.start, i)
	return a
}

// run connects, sends, and connects again after a break, until everything is sent or ctx ends. Once hard ends, nothing
// blocks any more.
func (a *agent) run(ctx, hard context.Context) {
	if !a.end.IsZero() {
		var cancel, cancelHard context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, a.end.Add(a.cfg.Drain))
		defer cancel()
		hard, cancelHard = context.WithDeadline(hard, a.end.Add(a.cfg.Drain))
		defer cancelHard()
	}
	for !a.session(ctx, hard) && a.again(ctx, hard) {
	}
	a.totals.unsent.Add(max(0, a.entriesDue(time.Now())-a.sent))
}

// again waits for the time to connect again, and says whether to do so. Who has no stream when ctx ends still has to send what is due.
func (a *agent) again(ctx, hard context.Context) bool {
	next, ended := time.Now().Add(a.cfg.ReconnectWait), ctx.Err() != nil
	if sleepUntil(ctx, next) {
		return true
	}
	if a.stopBy(time.Now()); a.hopeless || a.finished(time.Now()) {
		return false
	}
	return !ended || sleepUntil(hard, next)
}

// session is one stream; it says whether the agent has finished.
func (a *agent) session(ctx, hard context.Context) bool {
	late := ctx.Err() != nil
	s, err := a.cfg.Dialer.Open(hard, link.Identity{AgentID: a.who.id, Hostname: a.who.host}, a.receive)
	if err != nil {
		a.totals.failed.Add(1)
		a.totals.problem(fmt.Errorf("%s: %w", a.who.id, err))
		a.hopeless = late
		return false
	}
	defer s.Close()
	defer func() { a.totals.stalled.Add(int64(s.Stalled())) }()
	a.totals.connects.Add(1)
	a.totals.online.Add(1)
	defer a.totals.online.Add(-1)
	a.follow = false
	a.due.connected(time.Now())
	if err := a.stream(ctx, hard, s); err != nil {
		a.totals.broke(a.who.number, a.sent)
		a.totals.problem(fmt.Errorf("%s: %w", a.who.id, err))
		a.hopeless = late && status.Code(err) != codes.Unavailable
		return false
	}
	return a.finish(hard, s)
}

// stream sends what is due until the agent has finished or the stream breaks.
func (a *agent) stream(ctx, hard context.Context, s link.Stream) error {
	b := takeBuild()
	b.bootstrap(a, time.Now())
	err := b.send(hard, a, s)
	b.release()
	for err == nil {
		if err = a.handleWaiting(hard, s); err != nil {
			break
		}
		now := time.Now()
		if ctx.Err() != nil {
			a.stopBy(now)
		}
		b := takeBuild()
		b.fill(a, now)
		if b.batch.Len() > 0 {
			err = b.send(hard, a, s)
			b.release()
			continue
		}
		b.release()
		if a.finished(now) {
			return nil
		}
		err = a.wait(ctx, s, a.next(now))
	}
	return err
}

// stopBy ends the traffic now; what is due by then is still sent.
func (a *agent) stopBy(now time.Time) {
	if a.end.IsZero() || a.end.After(now) {
		a.end = now
	}
}

// finished is true once nothing more will be due.
func (a *agent) finished(now time.Time) bool {
	if a.cfg.Total > 0 && a.sent >= a.limit {
		return true
	}
	return !a.end.IsZero() && !now.Before(a.end) && a.sent >= a.entriesDue(now)
}

// finish half-closes, so that the gateway's OK means that it has read everything.
func (a *agent) finish(hard context.Context, s link.Stream) bool {
	if err := s.CloseSend(); err != nil {
		return true
	}
	patience := time.NewTimer(a.cfg.Drain)
	defer patience.Stop()
	select {
	case <-s.Done():
		if s.Err() == nil {
			a.totals.ok.Add(1)
		}
	case <-patience.C:
	case <-hard.Done():
	}
	return true
}

// wait sleeps until the given time, handling commands meanwhile.
func (a *agent) wait(ctx context.Context, s link.Stream, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case cmd := <-a.commands:
		return a.handle(ctx, cmd, s)
	case <-s.Done():
		return fmt.Errorf("stream ended: %w", endOf(s))
	case <-ctx.Done():
	}
	return nil
}
