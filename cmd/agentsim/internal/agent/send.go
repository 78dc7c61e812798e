package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
)

// batchBytes bounds what is handed to the transport at once.
const batchBytes = 64 << 10

// send keeps a stream and empties the buffer into it. After ctx ends it goes on until the producers are quiet and the
// buffer is empty, or hard ends.
func (a *agent) send(ctx, hard context.Context, quiet <-chan struct{}) {
	for {
		err := a.session(ctx, hard, quiet)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.cfg.Log.Warn("no stream", "error", a.cfg.explain(err), "again in", a.cfg.ReconnectWait, "buffered", a.buffer.len())
		select {
		case <-time.After(a.cfg.ReconnectWait):
		case <-ctx.Done():
			return
		}
	}
}

// session is one stream; nil once everything is handed over after ctx ended.
func (a *agent) session(ctx, hard context.Context, quiet <-chan struct{}) error {
	who := link.Identity{AgentID: a.cfg.AgentID, Hostname: a.cfg.Hostname}
	s, err := a.cfg.Dialer.Open(hard, who, a.receive)
	if err != nil {
		a.sent.failed.Add(1)
		return err
	}
	defer s.Close()
	a.sent.connects.Add(1)
	a.cfg.Log.Info("connected", "gateway", a.cfg.Dialer.Target, "agent", a.cfg.AgentID, "buffered", a.buffer.len())
	if err := a.bootstrap(hard, s); err != nil {
		a.sent.broken.Add(1)
		return err
	}
	full := a.fullHeartbeat(ctx)
	defer full.Stop()
	if err := a.pump(ctx, hard, s, quiet); err != nil {
		a.sent.broken.Add(1)
		return err
	}
	return a.finish(hard, s)
}

// bootstrap goes before all that is buffered.
func (a *agent) bootstrap(ctx context.Context, s link.Stream) error {
	now := time.Now()
	m, ok := a.message(now, kindBootstrap, wireform.FieldHeartbeat, a.heartbeat(now, true))
	if !ok {
		return nil
	}
	return a.handOver(ctx, s, []message{m})
}

// fullHeartbeat follows the bootstrap one within a second, also when regular ones are rarer.
func (a *agent) fullHeartbeat(ctx context.Context) *time.Timer {
	return time.AfterFunc(500*time.Millisecond, func() {
		if a.cfg.Heartbeat > time.Second && ctx.Err() == nil {
			a.beat(ctx, time.Now())
		}
	})
}

func (a *agent) pump(ctx, hard context.Context, s link.Stream, quiet <-chan struct{}) error {
	save := time.NewTicker(time.Second)
	defer save.Stop()
	for {
		stopped := isClosed(quiet)
		messages, changed := a.buffer.head(batchBytes)
		if len(messages) > 0 {
			if err := a.handOver(hard, s, messages); err != nil {
				return err
			}
			continue
		}
		if stopped {
			return nil
		}
		select {
		case <-changed:
		case <-quiet:
		case <-save.C:
			if err := a.positions.save(); err != nil {
				a.cfg.Log.Warn("remember positions", "error", err)
			}
		case <-s.Done():
			return ended(s)
		case <-hard.Done():
			return hard.Err()
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// handOver sends messages and removes from the buffer what was taken.
func (a *agent) handOver(ctx context.Context, s link.Stream, messages []message) error {
	var b link.Batch
	for _, m := range messages {
		b.Append(m.encoded)
	}
	taken, err := s.Send(ctx, &b)
	for _, m := range messages[:taken] {
		a.count(m)
	}
	if messages[0].kind != kindBootstrap {
		a.buffer.remove(taken)
	}
	return err
}

func (a *agent) count(m message) {
	a.sent.sent[m.kind].Add(1)
	switch m.kind {
	case kindAccess:
		a.positions.set(a.cfg.AccessLog, m.end)
	case kindError:
		a.positions.set(a.cfg.ErrorLog, m.end)
	}
}

// finish half-closes and gives the gateway time to read the rest.
func (a *agent) finish(hard context.Context, s link.Stream) error {
	if err := s.CloseSend(); err != nil {
		return fmt.Errorf("close stream: %w", err)
	}
	select {
	case <-s.Done():
	case <-hard.Done():
	}
	return nil
}

func ended(s link.Stream) error {
	if err := s.Err(); err != nil {
		return fmt.Errorf("stream ended: %w", err)
	}
	return link.ErrEndedByGateway
}
