package streamtap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const method = "/nginx.agent.v1.Commander/Connect"

func newTestTap() *Tap {
	return New(Settings{Method: method, StreamWindow: 64 << 10, ConnectionWindow: 1 << 20, MaxMessage: 1 << 20, ReadBuffer: 32 << 10})
}

// wire is what a client sends.
type wire struct {
	bytes.Buffer
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
}

func newWire() *wire {
	w := &wire{}
	w.WriteString(http2.ClientPreface)
	w.framer = http2.NewFramer(&w.Buffer, nil)
	w.framer.AllowIllegalWrites = true
	w.hpack = hpack.NewEncoder(&w.block)
	must(w.framer.WriteSettings())
	return w
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// headers returns an encoded block: fields are names and values.
func (w *wire) headers(fields ...string) []byte {
	w.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		must(w.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(w.block.Bytes())
}

func (w *wire) open(stream uint32, fields ...string) *wire {
	block := w.headers(append([]string{":method", "POST", ":scheme", "http", ":path", method}, fields...)...)
	must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true}))
	return w
}

func (w *wire) data(stream uint32, end bool, p ...byte) *wire {
	must(w.framer.WriteData(stream, end, p))
	return w
}

func grpcMessage(text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

// memory is a connection that has received some bytes, which arrive in pieces.
type memory struct {
	net.Conn
	in    []byte
	piece int

	mu  sync.Mutex
	out bytes.Buffer
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), m.piece)], m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memory) RemoteAddr() net.Addr { return (*memoryAddr)(m) }
func (m *memory) Close() error         { return nil }

// memoryAddr is an address of its own for each connection.
type memoryAddr memory

func (*memoryAddr) Network() string { return "memory" }
func (*memoryAddr) String() string  { return "memory" }

func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.Write(p)
}

// list is a sink that keeps messages.
type list struct {
	messages []string
	ended    bool
	err      error
	refuse   error
}

func (l *list) Take(message []byte, _ bool) (bool, error) {
	if l.refuse != nil {
		return false, l.refuse
	}
	l.messages = append(l.messages, string(message))
	return true, nil
}

func (l *list) End(err error) { l.ended, l.err = true, err }

// through reads a connection to its end and returns what gRPC got of it, as frames.
func through(t testing.TB, sent []byte, piece int, sink Sink) (frames []string, c *Conn) {
	t.Helper()
	c = newTestTap().Conn(&memory{in: sent, piece: piece}, false)
	var passed bytes.Buffer
	attached := false
	p := make([]byte, 100)
	for {
		n, err := c.Read(p)
		passed.Write(p[:n])
		if !attached && c.stream != 0 && sink != nil {
			c.Attach(sink, func(f func()) { f() })
			attached = true
		}
		if err != nil {
			break
		}
	}
	if passed.Len() < prefaceLength {
		return nil, c
	}
	framer := http2.NewFramer(nil, bytes.NewReader(passed.Bytes()[prefaceLength:]))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return frames, c
		}
		frames = append(frames, fmt.Sprint(frame.Header().Type, frame.Header().StreamID, frame.Header().Length, frame.Header().Flags))
	}
}

var pieces = []int{1, 2, 7, 10, 100, 1 << 20}

func TestMessagesGoToTheSinkAndTheRestToGRPC(t *testing.T) {
	long := strings.Repeat("long", 20_000)
	w := newWire().open(1)
	must(w.framer.WriteWindowUpdate(0, 10))
	w.data(1, false, grpcMessage("one")...)
	w.data(1, false, append(grpcMessage("two"), grpcMessage("three")...)...)
	must(w.framer.WritePing(false, [8]byte{1}))
	for rest := grpcMessage(long); len(rest) > 0; {
		n := min(len(rest), maxFrame)
		w.data(1, false, rest[:n]...)
		rest = rest[n:]
	}
	for _, c := range grpcMessage("byte by byte") {
		w.data(1, false, c)
	}
	w.data(1, false)
	must(w.framer.WriteDataPadded(1, false, grpcMessage("padded"), make([]byte, 50)))
	must(w.framer.WriteDataPadded(1, false, nil, make([]byte, 3)))
	w.data(1, false, grpcMessage("")...)
	w.open(3).data(3, false, grpcMessage("of another call")...)
	w.data(1, true, grpcMessage("last")...)
	must(w.framer.WritePing(false, [8]byte{2}))
	for _, piece := range pieces {
		sink := &list{}
		frames, _ := through(t, w.Bytes(), piece, sink)
		require.Equal(t, []string{"one", "two", "three", long, "byte by byte", "padded", "", "last"}, sink.messages, piece)
		require.True(t, sink.ended)
		require.NoError(t, sink.err)
		require.Equal(t, "SETTINGS,HEADERS,WINDOW_UPDATE,PING,HEADERS,DATA,DATA,PING", names(frames), piece)
		require.Equal(t, "DATA 1 0 1", frames[6], "gRPC hears of the end")
	}
}

func names(frames []string) string {
	var list []string
	for _, frame := range frames {
		name, _, _ := strings.Cut(frame, " ")
		list = append(list, strings.TrimRight(name, "0123456789"))
	}
	return strings.Join(list, ",")
}

// What is not the plain case is gRPC's business, whole.
func TestOtherCallsAreLeftAlone(t *testing.T) {
	for name, opened := range map[string]func(w *wire){
		"another method": func(w *wire) {
			must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.headers(":path", "/other"), EndHeaders: true}))
		},
		"compression": func(w *wire) { w.open(1, "grpc-encoding", "gzip") },
		"headers in two frames": func(w *wire) {
			block := w.headers(":path", method)
			must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:3]}))
			must(w.framer.WriteContinuation(1, true, block[3:]))
		},
		"a call without messages": func(w *wire) {
			must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.headers(":path", method), EndHeaders: true, EndStream: true}))
		},
		"nonsense for headers": func(w *wire) {
			must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff}, EndHeaders: true}))
		},
		"the second call": func(w *wire) {
			must(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.headers(":path", "/other"), EndHeaders: true}))
			w.open(3)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire()
			opened(w)
			w.data(1, false, grpcMessage("one")...).data(3, true, grpcMessage("two")...)
			for _, piece := range pieces {
				c := newTestTap().Conn(&memory{in: bytes.Clone(w.Bytes()), piece: piece}, false)
				passed, err := io.ReadAll(c)
				require.NoError(t, err)
				require.Equal(t, w.Bytes(), passed, "byte by byte what was sent")
				require.False(t, claimed(c))
			}
		})
	}
}

func TestHeadersWithPaddingAndPriority(t *testing.T) {
	w := newWire()
	must(w.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: w.headers(":path", method, "grpc-encoding", "identity"), EndHeaders: true, PadLength: 9, Priority: http2.PriorityParam{StreamDep: 0, Weight: 3},
	}))
	w.data(1, true, grpcMessage("one")...)
	for _, piece := range pieces {
		sink := &list{}
		through(t, w.Bytes(), piece, sink)
		require.Equal(t, []string{"one"}, sink.messages)
	}
}

func TestStreamsThatEndWithAnError(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		data   []byte
		refuse error
		want   error
	}{
		"too large":      {[]byte{0, 0, 0x10, 0, 1}, nil, ErrTooLarge},
		"far too large":  {[]byte{0, 0xff, 0xff, 0xff, 0xff}, nil, ErrTooLarge},
		"compressed":     {[]byte{1, 0, 0, 0, 0}, nil, ErrCompressed},
		"half a prefix":  {[]byte{0, 0}, nil, ErrTruncated},
		"half a message": {grpcMessage("half")[:7], nil, ErrTruncated},
		"refused":        {grpcMessage("a"), refused, refused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire().open(1).data(1, true, test.data...)
			for _, piece := range pieces {
				sink := &list{refuse: test.refuse}
				frames, _ := through(t, w.Bytes(), piece, sink)
				require.Empty(t, sink.messages)
				require.True(t, sink.ended)
				require.ErrorIs(t, sink.err, test.want)
				require.Equal(t, "SETTINGS,HEADERS,DATA", names(frames))
			}
		})
	}
}

// Frames that no client may send are gRPC's to refuse.
func TestBrokenFramesGoToGRPC(t *testing.T) {
	padded := append([]byte{0, 0, 2, 0, 8, 0, 0, 0, 1}, 200, 0) // more padding than payload
	large := append([]byte{0, 0x40, 1, 0, 0, 0, 0, 0, 1}, make([]byte, maxFrame+1)...)
	for _, frame := range [][]byte{padded, large} {
		w := newWire().open(1)
		w.Write(frame)
		for _, piece := range pieces {
			c := newTestTap().Conn(&memory{in: bytes.Clone(w.Bytes()), piece: piece}, false)
			passed, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, w.Bytes(), passed)
		}
	}
}

// A client that does not keep to its window cannot make the gateway hold what it likes.
func TestWindowIsKept(t *testing.T) {
	w := newWire().open(1)
	for range 100 {
		w.data(1, false, make([]byte, maxFrame)...)
	}
	c := newTestTap().Conn(&memory{in: w.Bytes(), piece: 1 << 20}, false)
	_, err := io.ReadAll(c)
	require.ErrorIs(t, err, errWindow)
	require.LessOrEqual(t, len(c.inbox.held), 64<<10+2*maxFrame)
}

func TestClaim(t *testing.T) {
	tap := newTestTap()
	w := newWire().open(1).open(3).data(1, false, grpcMessage("one")...)
	c := tap.Conn(&memory{in: w.Bytes(), piece: 1 << 20}, false)
	other := tap.Conn(&memory{}, false)
	readFrames(t, c, 1)
	require.False(t, claimed(c), "settings are no call")
	readFrames(t, c, 1)
	require.False(t, claimed(other), "another connection")
	found, tapped := tap.Claim(c.RemoteAddr())
	require.Same(t, c, found)
	require.True(t, tapped)
	require.False(t, claimed(c), "once")
	readFrames(t, c, 1)
	require.False(t, claimed(c), "another call")

	c = tap.Conn(&memory{in: newWire().open(1).open(3).Bytes(), piece: 1 << 20}, false)
	readFrames(t, c, 3)
	require.False(t, claimed(c), "gRPC has refused the first call and looks at the second")

	c = tap.Conn(&memory{in: newWire().open(1).Bytes(), piece: 1 << 20}, false)
	readFrames(t, c, 2)
	require.NoError(t, c.Close())
	require.Nil(t, tap.calls.of(c.RemoteAddr()), "nothing is left of a connection that is closed")
}

func claimed(c *Conn) bool {
	_, tapped := c.tap.Claim(c.RemoteAddr())
	return tapped
}

// readFrames reads frames as gRPC does: not a byte more.
func readFrames(t *testing.T, c *Conn, n int) {
	t.Helper()
	if c.from == 0 && c.pass == prefaceLength {
		_, err := io.ReadFull(c, make([]byte, prefaceLength))
		require.NoError(t, err)
	}
	for range n {
		header := make([]byte, frameHeader)
		_, err := io.ReadFull(c, header)
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, payloadLength(header)))
		require.NoError(t, err)
	}
}

func FuzzConn(f *testing.F) {
	f.Add(newWire().open(1).data(1, true, grpcMessage("one")...).Bytes()[prefaceLength:], 7)
	f.Add(newWire().open(1, "grpc-encoding", "gzip").data(1, false, grpcMessage("one")...).Bytes()[prefaceLength:], 100)
	w := newWire().open(1)
	must(w.framer.WriteDataPadded(1, false, grpcMessage("padded"), make([]byte, 50)))
	f.Add(append(w.Bytes()[prefaceLength:], 0, 0, 9, 0), 1000)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		sent = append([]byte(http2.ClientPreface), sent...)
		whole, parts := &list{}, &list{}
		framesWhole, _ := through(t, bytes.Clone(sent), len(sent), whole)
		framesParts, _ := through(t, bytes.Clone(sent), 1+max(piece, -piece, 0)%len(sent), parts)
		require.Equal(t, whole.messages, parts.messages, "how bytes arrive changes nothing")
		require.Equal(t, framesWhole, framesParts)
	})
}
