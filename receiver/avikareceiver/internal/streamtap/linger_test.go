package streamtap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// written returns what a connection has got since the last call: each run of equal frames once, with how many they are.
func (m *memory) written(t *testing.T) (frames []string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	framer := http2.NewFramer(nil, bytes.NewReader(bytes.Clone(m.out.Bytes())))
	m.out.Reset()
	n, last := 0, ""
	for {
		frame, err := framer.ReadFrame()
		text := ""
		switch f := frame.(type) {
		case *http2.WindowUpdateFrame:
			text = fmt.Sprintf("window %d %d", f.StreamID, f.Increment)
		case *http2.GoAwayFrame:
			text = fmt.Sprintf("goaway %d %v", f.LastStreamID, f.ErrCode)
		case *http2.HeadersFrame:
			text = fmt.Sprintf("headers %d %t", f.StreamID, f.StreamEnded())
		}
		if text != last && n > 0 {
			frames = append(frames, fmt.Sprintf("%d %s", n, last))
			n = 0
		}
		n, last = n+1, text
		if errors.Is(err, io.EOF) {
			return frames
		}
		require.NoError(t, err)
	}
}

// ended is a connection whose stream 1 has sent frames of 1 KiB and is ended by gRPC.
func ended(t *testing.T, frames int, more func(*wire)) (c *Conn, socket *memory, sink *list, over <-chan struct{}) {
	t.Helper()
	w := newWire().open(1)
	for range frames {
		w.data(1, false, grpcMessage(strings.Repeat("x", 1<<10-prefixLength))...)
	}
	before := w.Len()
	more(w)
	socket, sink = &memory{in: bytes.Clone(w.Bytes()[:before]), piece: 1 << 20}, &list{}
	c = newTestTap().Conn(socket, false)
	readFrames(t, c, 2)
	c.Attach(sink, func(func()) { panic("the sink takes everything at once") })
	_, _ = io.ReadAll(c)
	socket.written(t)
	over = c.Linger()
	trailers := newWire().headers("grpc-status", "14")
	var out bytes.Buffer
	must(http2.NewFramer(&out, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: trailers, EndHeaders: true, EndStream: true}))
	n, err := c.Write(out.Bytes())
	require.NoError(t, err)
	require.Equal(t, out.Len(), n)
	socket.in, c.err = bytes.Clone(w.Bytes()[before:]), nil
	return c, socket, sink, over
}

// A wider window, and what makes the client use it, stand in front of the end. Then nothing is written until the client has had its say.
func TestTheEndOfAStream(t *testing.T) {
	c, socket, sink, over := ended(t, 20, func(w *wire) {
		for range 40 {
			w.data(1, false, grpcMessage(strings.Repeat("y", 16<<10-prefixLength))...)
		}
		must(w.framer.WriteRSTStream(1, http2.ErrCodeNo))
	})
	require.Equal(t, []string{
		fmt.Sprintf("1 window 0 %d", LateWindow+20<<10-16<<10), fmt.Sprintf("1 window 1 %d", LateWindow+20<<10-16<<10),
		"20 window 0 1", "1 headers 1 true",
	}[2:], socket.written(t)[2:])
	_, _ = io.ReadAll(c)
	require.Len(t, sink.messages, 60)
	require.True(t, sink.ended)
	require.NoError(t, sink.err)
	<-over
	require.Empty(t, socket.written(t))
	c.Leave()
	require.Equal(t, []string{fmt.Sprintf("1 window 0 %d", 40*16<<10), fmt.Sprintf("1 goaway %d NO_ERROR", math.MaxInt32)}, socket.written(t))
}

// A message that is cut off is told from one that the client has not finished.
func TestACutMessage(t *testing.T) {
	c, _, sink, over := ended(t, 1, func(w *wire) {
		w.data(1, false, grpcMessage("abc")[:prefixLength+1]...)
		must(w.framer.WriteRSTStream(1, http2.ErrCodeNo))
	})
	_, _ = io.ReadAll(c)
	<-over
	require.ErrorIs(t, sink.err, ErrCut)
}

// The end of the connection is the end of what can come, also when it was there first.
func TestLingeringOnAClosedConnection(t *testing.T) {
	c, _, sink, over := ended(t, 1, func(*wire) {})
	require.NoError(t, c.Close())
	<-over
	require.True(t, sink.ended)

	c = newTestTap().Conn(&memory{}, false)
	require.NoError(t, c.Close())
	<-c.Linger()
}

func TestNudges(t *testing.T) {
	c := newTestTap().Conn(&memory{}, false)
	require.Zero(t, c.nudges(), "nothing was sent, nothing is held back")
	for _, test := range []struct{ frames, bytes, want int64 }{
		{10, 10 * 100, 10},
		{1_000, 1_000 * 1_000, 163},
		{1_000_000, 1_000_000 * 10, maxNudges},
	} {
		c.frames.Store(test.frames)
		c.received.Store(test.bytes)
		require.Equal(t, test.want, c.nudges())
	}
}

func TestAge(t *testing.T) {
	tap := newTestTap()
	require.Nil(t, tap.Conn(&memory{}, false).Aged(), "no age by default")
	tap.settings.MaxAge, tap.settings.Grace = time.Millisecond, time.Millisecond
	socket := &memory{}
	c := tap.Conn(socket, false)
	<-c.Aged()
	require.Eventually(t, func() bool {
		c.age.mu.Lock()
		defer c.age.mu.Unlock()
		socket.mu.Lock()
		defer socket.mu.Unlock()
		return c.age.closed && socket.out.Len() > 0
	}, 30*time.Second, time.Millisecond, "closed after the grace")
	require.Equal(t, []string{fmt.Sprintf("1 goaway %d NO_ERROR", math.MaxInt32)}, socket.written(t))

	tap.settings.MaxAge = time.Hour
	require.NoError(t, tap.Conn(socket, false).Close())
}
