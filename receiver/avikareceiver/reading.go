package avikareceiver

import (
	"context"
	"errors"
	"io"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
)

// A stream's messages come from the tap on its connection, or, if it has none, through gRPC.

// startReading makes messages come in.
func (s *stream) startReading() {
	ctx := s.connection.Context()
	call, ok := ctx.Value(callKey{}).(call)
	if ok {
		s.aged = call.conn.Aged()
	}
	if !call.tapped {
		s.receiver.work.Go(s.read)
		return
	}
	s.tapped, s.gone = call.conn, ctx.Done()
	s.tapped.Attach(s, s.receiver.work.Go)
}

// read takes in messages through gRPC until the stream ends.
func (s *stream) read() {
	var f frame
	for {
		if err := s.connection.RecvMsg(&f); err != nil {
			s.End(s.readError(err))
			return
		}
		_, err := s.Take(f.bytes(), true)
		f.free()
		if err != nil {
			s.End(err)
			return
		}
	}
}

// End leaves what was read to the outlet, when there are no more messages.
func (s *stream) End(err error) {
	s.outlet.close()
	s.done <- s.tapError(err) // first, so that the end of the session is known to be the stream's own
	if s.session != nil {
		s.session.Close()
	}
}

// left ends the stream of an agent that has left. What it has sent and the pipeline has not taken yet is delivered nevertheless.
func (s *stream) left(session agentsession.Session) error {
	if session != nil {
		session.Close()
	}
	return status.FromContextError(s.connection.Context().Err()).Err()
}

// readError counts streams that break gRPC's rules. One that an agent ends, or the network, is nobody's fault.
func (s *stream) readError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	switch status.Code(err) {
	case codes.Canceled, codes.Unavailable, codes.DeadlineExceeded:
	case codes.ResourceExhausted:
		s.tooLarge()
	default:
		s.receiver.telemetry.refusedStream(refusedProtocol, s.who(), zap.Error(err))
	}
	return err
}

// tapError is readError for what the tap finds.
func (s *stream) tapError(err error) error {
	r := s.receiver
	switch {
	case errors.Is(err, streamtap.ErrTooLarge):
		s.tooLarge()
		return status.Errorf(codes.ResourceExhausted, "a message is larger than %d MiB, see max_recv_msg_size_mib", r.maxMessage()>>20)
	case errors.Is(err, streamtap.ErrCut):
		r.telemetry.refusedMessage(refusedCut, s.agentID)
		return nil
	case errors.Is(err, streamtap.ErrCompressed), errors.Is(err, streamtap.ErrTruncated):
		r.telemetry.refusedStream(refusedProtocol, s.who(), zap.Error(err))
		return status.Error(codes.Internal, err.Error())
	default:
		return err
	}
}

func (s *stream) tooLarge() {
	s.receiver.telemetry.limit("max_recv_msg_size_mib", "Closed a stream whose message is larger than max_recv_msg_size_mib", s.who())
	s.receiver.telemetry.refusedStream(refusedSize, s.who())
}

// who names the agent in the log. It is for the reader.
func (s *stream) who() zap.Field { return zap.String("agent_id", s.agentID) }

// maxMessage is the size of the largest message, gRPC's default where nothing is configured.
func (r *avikaReceiver) maxMessage() int {
	if r.config.MaxRecvMsgSizeMiB > 0 {
		return r.config.MaxRecvMsgSizeMiB << 20
	}
	return 4 << 20
}

type callKey struct{}

// call is what a stream knows of its connection, and whether its messages are taken off that.
type call struct {
	conn   *streamtap.Conn
	tapped bool
}

// findTap puts the connection of a call into its context. gRPC calls it on the goroutine that reads the connection, as soon as it has read
// the call's headers.
func (r *avikaReceiver) findTap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ctx, nil
	}
	if c, tapped := r.tap.Claim(p.Addr); c != nil {
		ctx = context.WithValue(ctx, callKey{}, call{c, tapped})
	}
	return ctx, nil
}

// tapOptions make gRPC read through taps, which have buffers of their own.
func (r *avikaReceiver) tapOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ReadBufferSize(0), grpc.InTapHandle(r.findTap)}
}
