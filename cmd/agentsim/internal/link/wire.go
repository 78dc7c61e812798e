package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const (
	userAgent     = "agentsim"
	defaultWindow = 65535
	// writeAtMost bounds one write, so that answers to the gateway's pings are not held up for long.
	writeAtMost = 256 << 10
)

// wireStream is an HTTP/2 client with one connection for one stream. The reading goroutine owns everything that the
// gateway sends; windows are shared with the sender.
type wireStream struct {
	conn   net.Conn
	write  sync.Mutex // one frame, or several whole ones, at a time
	reader *wireReader
	served chan struct{} // closed when the gateway has sent its settings
	done   chan struct{}
	err    error // valid when done is closed
	// finished is the sender's: nothing more is to be sent.
	finished bool

	windows    sync.Mutex
	connection int64
	stream     int64
	initial    int64
	opened     chan struct{} // has a token after a window grew

	stalled atomic.Int64
}

var _ Stream = (*wireStream)(nil)

func (d *Dialer) openWire(ctx context.Context, who Identity, onCommand func(*agentv1.ServerCommand)) (Stream, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", d.Target, err)
	}
	s := &wireStream{
		conn: conn, served: make(chan struct{}), done: make(chan struct{}), opened: make(chan struct{}, 1),
		connection: defaultWindow, stream: defaultWindow, initial: defaultWindow,
	}
	s.reader = newWireReader(s, onCommand)
	if err := s.writeAll(d.opening(who)); err != nil {
		return nil, errors.Join(fmt.Errorf("open stream to %s: %w", d.Target, err), conn.Close())
	}
	go s.run()
	if err := s.awaitGateway(ctx, d.timeout()); err != nil {
		s.Close()
		return nil, fmt.Errorf("open stream to %s: %w", d.Target, err)
	}
	return s, nil
}

// awaitGateway waits for the gateway's settings, as grpc-go does before it sends anything: somebody may have taken the connection who does not
// serve it.
func (s *wireStream) awaitGateway(ctx context.Context, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-s.served:
		return nil
	case <-s.done:
		return cause(s.err)
	case <-timer.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Dialer) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	if d.TLS == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", d.Target)
	}
	cfg := d.TLS.Clone()
	cfg.NextProtos = []string{http2.NextProtoTLS}
	return (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", d.Target)
}

// opening is the connection preface, our settings and the request headers.
func (d *Dialer) opening(who Identity) []byte {
	var fields, out bytes.Buffer
	enc := hpack.NewEncoder(&fields)
	for _, h := range d.requestHeaders(who) {
		_ = enc.WriteField(hpack.HeaderField{Name: h.name, Value: h.value}) // a bytes.Buffer takes all
	}
	out.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&out, nil)
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: streamID, BlockFragment: fields.Bytes(), EndHeaders: true})
	return out.Bytes()
}

func (d *Dialer) requestHeaders(who Identity) []header {
	scheme := "http"
	if d.TLS != nil {
		scheme = "https"
	}
	return append([]header{
		{":method", "POST"},
		{":scheme", scheme},
		{":path", connectMethod},
		{":authority", d.Target},
		{"content-type", "application/grpc"},
		{"user-agent", userAgent},
		{"te", "trailers"},
	}, d.Key.headers(who, time.Now())...)
}

func (s *wireStream) run() {
	defer close(s.done)
	s.err = s.reader.run()
}

func (s *wireStream) writeAll(p []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	start := time.Now()
	_, err := s.conn.Write(p)
	if took := time.Since(start); took > stallThreshold {
		s.stalled.Add(int64(took))
	}
	return err
}

// Write lets the reader's framer answer the gateway.
func (s *wireStream) Write(p []byte) (int, error) { return len(p), s.writeAll(p) }

func (s *wireStream) Send(ctx context.Context, b *Batch) (messages int, err error) {
	start, next := 0, 0
	for next < len(b.frames) {
		if err := s.ended(ctx); err != nil {
			return messages, err
		}
		n, last := s.take(b, start, next)
		if n == 0 {
			s.waitForWindow(ctx)
			continue
		}
		end := b.frames[next+n-1].end
		if err := s.writeAll(b.buf[start:end]); err != nil {
			return messages, s.broken(err)
		}
		messages += last
		start, next = end, next+n
	}
	return messages, nil
}

// broken prefers the gateway's reason over that of the failed write.
func (s *wireStream) broken(err error) error {
	s.conn.Close()
	<-s.done
	return fmt.Errorf("stream ended: %w (%v)", cause(s.err), err)
}

// take reserves the windows for as many frames as fit, and says how many, and how many messages they complete.
func (s *wireStream) take(b *Batch, start, next int) (frames, messages int) {
	s.windows.Lock()
	defer s.windows.Unlock()
	room := min(s.connection, s.stream)
	var used int64
	for prev, limit := start, start+writeAtMost; next+frames < len(b.frames); frames++ {
		f := b.frames[next+frames]
		size := int64(f.end - prev - frameHeader)
		if used+size > room || f.end > limit && frames > 0 {
			break
		}
		used, prev = used+size, f.end
		if f.last {
			messages++
		}
	}
	s.connection -= used
	s.stream -= used
	return frames, messages
}

func (s *wireStream) waitForWindow(ctx context.Context) {
	start := time.Now()
	select {
	case <-s.opened:
	case <-s.done:
	case <-ctx.Done():
	}
	s.stalled.Add(int64(time.Since(start)))
}

func (s *wireStream) ended(ctx context.Context) error {
	select {
	case <-s.done:
		return fmt.Errorf("stream ended: %w", cause(s.err))
	default:
		return ctx.Err()
	}
}

// grow adds to the windows and wakes the sender.
func (s *wireStream) grow(connection, stream int64) {
	s.windows.Lock()
	s.connection += connection
	s.stream += stream
	s.windows.Unlock()
	select {
	case s.opened <- struct{}{}:
	default:
	}
}

func (s *wireStream) CloseSend() error {
	s.finished = true
	var head [frameHeader]byte
	putFrameHeader(head[:], 0, flagEndStream)
	return s.writeAll(head[:])
}

func (s *wireStream) Done() <-chan struct{}  { return s.done }
func (s *wireStream) Err() error             { return s.err }
func (s *wireStream) Stalled() time.Duration { return time.Duration(s.stalled.Load()) }

func (s *wireStream) Close() {
	select {
	case <-s.done:
		s.leave()
	default:
	}
	s.conn.Close()
	<-s.done
}

// leaveTime is how long the gateway may take to read the rest.
const leaveTime = time.Second

// leave answers the end of a stream that was not finished with a reset, as grpc-go does, and lets what was written before arrive: a socket that is
// closed while there is something to read takes back what it has not sent yet.
func (s *wireStream) leave() {
	if s.finished || s.writeAll(reset) != nil {
		return
	}
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_ = s.conn.SetReadDeadline(time.Now().Add(leaveTime))
		_, _ = io.Copy(io.Discard, s.conn) // until the gateway closes, which it does for whatever reason
	}
}

// reset is RST_STREAM with NO_ERROR.
var reset = []byte{0, 0, 4, byte(http2.FrameRSTStream), 0, 0, 0, 0, streamID, 0, 0, 0, byte(http2.ErrCodeNo)}
