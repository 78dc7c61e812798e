package agent

import (
	"context"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/tail"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// receive runs on the stream's goroutine, so that what takes time goes to one of its own.
func (a *agent) receive(cmd *agentv1.ServerCommand) {
	a.sent.commands.Add(1)
	log := a.cfg.Log.With("command", cmd.GetCommandId())
	switch p := cmd.GetPayload().(type) {
	case *agentv1.ServerCommand_LogRequest:
		log.Info("log request", "type", p.LogRequest.GetLogType(), "lines", p.LogRequest.GetTailLines(), "follow", p.LogRequest.GetFollow())
		a.goAnswer(p.LogRequest)
	case *agentv1.ServerCommand_Update:
		log.Info("update", "version", p.Update.GetVersion(), "honored", a.cfg.HonorUpdate)
		a.update(p.Update.GetVersion())
	case *agentv1.ServerCommand_Action:
		log.Info("action, only logged", "type", p.Action.GetType())
	case *agentv1.ServerCommand_ConfigPush:
		log.Info("config push, only logged", "version", p.ConfigPush.GetVersionId(), "files", len(p.ConfigPush.GetFiles()))
	default:
		log.Info("unknown command, ignored")
	}
}

func (a *agent) goAnswer(req *agentv1.LogRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closing {
		a.work.Go(func() { a.answer(a.ctx, req) })
	}
}

// update changes the version of later heartbeats. There is no result message for it.
func (a *agent) update(version string) {
	if !a.cfg.HonorUpdate {
		return
	}
	if version == "" || version == "latest" {
		version = "1.111.0"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.self = version
}

// answer sends the last lines and, with follow, new ones for as long as the agent lives: there is no "stop".
func (a *agent) answer(ctx context.Context, req *agentv1.LogRequest) {
	path, entry := a.cfg.AccessLog, a.parsed
	if req.GetLogType() == "error" {
		path, entry = a.cfg.ErrorLog, a.errorEntry
	}
	if path == "" {
		a.cfg.Log.Warn("log request for a log this agent does not have", "type", req.GetLogType())
		return
	}
	lines, end, err := tail.Last(path, int(req.GetTailLines()))
	if err != nil {
		a.cfg.Log.Warn("answer log request", "error", err)
		return
	}
	put := func(line []byte) error {
		return a.buffer.put(ctx, a.logMessage(entry(line), kindAnswer, tail.Position{}))
	}
	for _, line := range lines {
		if put(line) != nil {
			return
		}
	}
	if !req.GetFollow() {
		return
	}
	err = tail.Follow(ctx, path, tail.Options{Resume: &end}, func(l tail.Line) error { return put(l.Text) })
	if ctx.Err() == nil {
		a.cfg.Log.Warn("follow for a log request", "error", err)
	}
}

// parsed is an entry that was counted before.
func (a *agent) parsed(line []byte) *agentv1.LogEntry { return a.cfg.Format.Access(line, time.Now()) }
