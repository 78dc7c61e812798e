package avikareceiver

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// stream is one agent's connection. The reader owns all fields but those marked otherwise.
type stream struct {
	receiver   *avikaReceiver
	connection agentv1.Commander_ConnectServer
	identity   identity
	outlet     *outlet
	counts     *messageCounts

	// id is the agent's id as it was last sent, agentID its canonical form.
	id      []byte
	agentID string
	agent   *translate.Agent
	session agentsession.Session
	// facts is the digest of the heartbeat that the agent is known by; nobody has to read another like it.
	facts         uint64
	labelsLeftOut bool

	message   wire.Message
	malformed int
	// offered says that those who follow the log have seen the message that waits for room.
	offered bool

	// opened hands the session to the goroutine that serves the stream.
	opened chan agentsession.Session
	// received is the time of the last message in Unix nanoseconds; paused says that reading waits for the pipeline.
	// Anybody may read them.
	received atomic.Int64
	paused   atomic.Bool
	// idle is closed by the set of streams when the stream has been silent for too long.
	idle chan struct{}
	// done gets the reason for which there are no more messages; gone is closed when the agent has left and nobody reads
	// to notice.
	done chan error
	gone <-chan struct{}

	// tapped is the connection that messages are taken off, if they are; aged is closed when the connection is to be given up.
	tapped *streamtap.Conn
	aged   <-chan struct{}
	// lingering is closed when nothing more comes from the agent after the end of its stream; reserved is what this takes of the
	// receiver's budget.
	lingering <-chan struct{}
	reserved  int64
}

func (r *avikaReceiver) closeIdleStreams() {
	limit := r.config.Limits.IdleTimeout
	if limit == 0 {
		return
	}
	interval := max(min(limit/4, 5*time.Second), time.Millisecond)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	look := lookout{late: interval + limit/4, last: time.Now().Round(0)}
	for {
		select {
		case <-ticker.C:
			if now := time.Now().Round(0); look.tells(now) {
				r.streams.closeSilent(now.Add(-limit).UnixNano())
			}
		case <-r.draining:
			return
		}
	}
}

// lookout knows which looks at the streams say nothing of who is silent: those that come late by the clock, because the gateway has not run
// or the clock was set. What agents have sent meanwhile has not been read.
type lookout struct {
	late time.Duration
	last time.Time
}

func (l *lookout) tells(now time.Time) bool {
	since := now.Sub(l.last)
	l.last = now
	return since <= l.late
}

// connect serves a stream until one side ends it.
func (r *avikaReceiver) connect(connection agentv1.Commander_ConnectServer) error {
	ctx := connection.Context()
	s := &stream{
		receiver:   r,
		connection: connection,
		identity:   identityFrom(ctx),
		counts:     r.telemetry.counts(r.opened.Add(1)),
		opened:     make(chan agentsession.Session, 1),
		idle:       make(chan struct{}),
		done:       make(chan error, 1),
	}
	s.outlet = newOutlet(r, client.NewContext(r.life, client.FromContext(ctx)), s)
	s.received.Store(time.Now().UnixNano())
	if !r.streams.add(s, r.config.Limits.Streams) {
		r.telemetry.limit("streams", "Refused a stream, because as many are open as limits::streams allows")
		return r.refuse(refusedStreams, codes.ResourceExhausted, "the gateway has as many streams as it may; try another one")
	}
	s.startReading()
	defer s.stopReading()
	return s.serve()
}

// serve waits for whatever ends the stream. Messages are taken in beside it, because only returning from here ends a stream.
func (s *stream) serve() error {
	opened, draining := s.opened, s.receiver.draining
	var commands <-chan *agentv1.ServerCommand
	var ended <-chan struct{}
	var session agentsession.Session
	var who zap.Field
	for {
		select {
		case err := <-s.done:
			return err
		case <-s.gone:
			return s.left(session)
		case session = <-opened:
			opened, commands, ended = nil, session.Commands(), session.Done()
			who = s.who() // the reader set the id before it opened the session, and does not change it
		case command, ok := <-commands:
			commands = nil
			if ok {
				s.startSending(session, command)
			}
		case <-ended:
			select {
			case err := <-s.done:
				return err
			default:
				return s.unwanted(s.receiver.endedBy(session.Err(), who))
			}
		case <-s.idle:
			s.receiver.telemetry.limit("idle_timeout", "Closed a stream that was silent for longer than limits::idle_timeout")
			return s.drain(s.receiver.refuse(refusedIdle, codes.DeadlineExceeded, "no message for "+s.receiver.config.Limits.IdleTimeout.String()))
		case <-draining:
			return s.drain(errShuttingDown)
		case <-s.aged:
			return s.drain(errTooOld)
		}
	}
}

// startSending sends the session's commands, of which first has been taken already, on a goroutine of their own: an agent that does
// not read must not keep its stream from being closed.
func (s *stream) startSending(session agentsession.Session, first *agentv1.ServerCommand) {
	s.receiver.work.Go(func() {
		ctx := s.connection.Context()
		for command, ok := first, true; ok; {
			if id := command.GetCommandId(); session.Due(id) {
				session.CommandSent(id, s.connection.Send(command))
			}
			select {
			case command, ok = <-session.Commands():
			case <-ctx.Done():
				return
			}
		}
	})
}

// unwanted ends the stream of an agent that the registry does not want. What it has sent is lost only when it may not come back.
func (s *stream) unwanted(why error) error {
	switch status.Code(why) {
	case codes.Unavailable, codes.Aborted:
		return s.drain(why)
	default:
		return why
	}
}

// endedBy tells an agent why the registry does not want it, and the log who that is.
func (r *avikaReceiver) endedBy(reason error, who zap.Field) error {
	switch {
	case errors.Is(reason, agentsession.ErrRevoked):
		return r.refuse(refusedRevoked, codes.PermissionDenied, "this agent has been revoked in the registry", who)
	case errors.Is(reason, agentsession.ErrApprovalRequired):
		return r.refuse(refusedApproval, codes.FailedPrecondition, "this agent waits for approval in the registry", who)
	case errors.Is(reason, agentsession.ErrTooManyAgents):
		return r.refuse(refusedTooMany, codes.ResourceExhausted, "the registry knows as many agents as its max_agents, and does not know this one", who)
	case errors.Is(reason, agentsession.ErrRemoved):
		return r.refuse(refusedRemoved, codes.Aborted, "this agent was removed from the registry; it may connect again", who)
	case reason == nil, errors.Is(reason, context.Canceled):
		return status.Error(codes.Unavailable, "the registry ended the session")
	default:
		return r.refuse(refusedRegistry, codes.Unavailable, "the registry ended the session: "+reason.Error(), who)
	}
}

// refuse returns the error that ends a stream, and reports it; fields say whose stream it is.
func (r *avikaReceiver) refuse(reason string, code codes.Code, message string, fields ...zap.Field) error {
	r.telemetry.refusedStream(reason, append(fields, zap.String("status", message))...)
	return status.Error(code, message)
}
