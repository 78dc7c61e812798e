package fleet

import (
	"context"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/traffic"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// receive runs on the stream's goroutine. A stock agent that is swamped with commands loses some too.
func (a *agent) receive(cmd *agentv1.ServerCommand) {
	select {
	case a.commands <- cmd:
	default:
		a.totals.command("dropped")
	}
}

// handleWaiting takes commands while there is always something to send.
func (a *agent) handleWaiting(ctx context.Context, s link.Stream) error {
	select {
	case cmd := <-a.commands:
		return a.handle(ctx, cmd, s)
	default:
		return nil
	}
}

func (a *agent) handle(ctx context.Context, cmd *agentv1.ServerCommand, s link.Stream) error {
	switch p := cmd.GetPayload().(type) {
	case *agentv1.ServerCommand_LogRequest:
		a.totals.command("log_request")
		return a.answer(ctx, p.LogRequest, s)
	case *agentv1.ServerCommand_Update:
		a.totals.command("update")
		if a.cfg.HonorUpdate {
			a.who.agent = updatedVersion(p.Update.GetVersion())
		}
	case *agentv1.ServerCommand_Action:
		a.totals.command("action")
	case *agentv1.ServerCommand_ConfigPush:
		a.totals.command("config_push")
	default:
		a.totals.command("unknown")
	}
	return nil
}

// updatedVersion is what an agent calls itself after an update.
func updatedVersion(asked string) string {
	if asked == "" || asked == "latest" {
		return "1.111.0"
	}
	return asked
}

// answer repeats the last entries, as a stock agent reads them from the log once more. There are no error logs here.
func (a *agent) answer(ctx context.Context, req *agentv1.LogRequest, s link.Stream) error {
	if req.GetLogType() == "error" {
		return nil
	}
	a.follow = a.follow || req.GetFollow()
	for n := max(0, a.sent-int64(req.GetTailLines())); n < a.sent; {
		b := takeBuild()
		for ; n < a.sent && b.batch.Size() < batchBytes; n++ {
			b.entry(a, n, a.loggedAt(n).UnixMilli(), kindAnswer)
		}
		err := b.send(ctx, a, s)
		b.release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *agent) loggedAt(n int64) time.Time {
	if a.cfg.Rate > 0 {
		return a.timeOf(n)
	}
	return time.Now()
}

// count adds an entry that was handed over.
func (a *agent) count(f *traffic.Facts, t *tally) {
	a.sent++
	a.sentBytes += f.SentBytes
	a.traffic.Add(f.Status, f.Seconds, requestBytes, f.SentBytes)
	class := f.Status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	t.status[class]++
	t.bodyBytes += f.BodyBytes
}

// requestBytes is the size of a simulated request with its headers.
const requestBytes = 400

// endOf names the end of a stream that the agent did not ask for.
func endOf(s link.Stream) error {
	if err := s.Err(); err != nil {
		return err
	}
	return link.ErrEndedByGateway
}
