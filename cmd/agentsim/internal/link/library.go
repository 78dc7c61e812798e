package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// stallThreshold is how long a send must take before it counts as held back by flow control.
const stallThreshold = time.Millisecond

type libraryStream struct {
	conn    *grpc.ClientConn
	stream  grpc.ClientStream
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // valid when done is closed
	stalled atomic.Int64
}

var _ Stream = (*libraryStream)(nil)

func (d *Dialer) openLibrary(ctx context.Context, who Identity, onCommand func(*agentv1.ServerCommand)) (Stream, error) {
	conn, err := grpc.NewClient(d.Target, grpc.WithTransportCredentials(d.credentials()), grpc.WithNoProxy(),
		grpc.WithUserAgent(userAgent), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", d.Target, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	for _, h := range d.Key.headers(who, time.Now()) {
		ctx = metadata.AppendToOutgoingContext(ctx, h.name, h.value)
	}
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	late := time.AfterFunc(d.timeout(), cancel)
	stream, err := conn.NewStream(ctx, desc, connectMethod, grpc.ForceCodecV2(rawCodec{}))
	if !late.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("open stream to %s: %w", d.Target, err), conn.Close())
	}
	s := &libraryStream{conn: conn, stream: stream, cancel: cancel, done: make(chan struct{})}
	go s.receive(onCommand)
	return s, nil
}

func (d *Dialer) credentials() credentials.TransportCredentials {
	if d.TLS == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(d.TLS)
}

func (s *libraryStream) receive(onCommand func(*agentv1.ServerCommand)) {
	defer close(s.done)
	for {
		cmd := new(agentv1.ServerCommand)
		if err := s.stream.RecvMsg(cmd); err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			}
			return
		}
		onCommand(cmd)
	}
}

func (s *libraryStream) Send(_ context.Context, b *Batch) (int, error) {
	return b.each(func(msg []byte) error {
		start := time.Now()
		err := s.stream.SendMsg(rawMessage(msg))
		if took := time.Since(start); took > stallThreshold {
			s.stalled.Add(int64(took))
		}
		if errors.Is(err, io.EOF) { // the status is for the receiving side
			<-s.done
			return fmt.Errorf("stream ended: %w", cause(s.err))
		}
		return err
	})
}

// cause names the end of a stream that had status OK while there was more to send.
func cause(err error) error {
	if err == nil {
		return ErrEndedByGateway
	}
	return err
}

// ErrEndedByGateway is the end of a stream, with status OK, that the agent did not ask for.
var ErrEndedByGateway = errors.New("the gateway ended the stream")

func (s *libraryStream) CloseSend() error       { return s.stream.CloseSend() }
func (s *libraryStream) Done() <-chan struct{}  { return s.done }
func (s *libraryStream) Err() error             { return s.err }
func (s *libraryStream) Stalled() time.Duration { return time.Duration(s.stalled.Load()) }

func (s *libraryStream) Close() {
	s.cancel()
	s.conn.Close()
	<-s.done
}

// rawMessage is an encoded AgentMessage, rawCodec sends it as it is and decodes commands as usual.
type rawMessage []byte

type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	msg, ok := v.(rawMessage)
	if !ok {
		return nil, fmt.Errorf("send %T: want an encoded message", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(msg)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return proto.Unmarshal(data.Materialize(), v.(proto.Message))
}
