package streamtap

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// moody is a sink that often cannot take a message at once. It fails the test when it is called by two goroutines.
type moody struct {
	t      *testing.T
	inside atomic.Int32
	next   uint32
	waited int
	ended  chan error
}

func (m *moody) Take(message []byte, wait bool) (bool, error) {
	if m.inside.Add(1) != 1 {
		m.t.Error("two goroutines hand messages on")
	}
	defer m.inside.Add(-1)
	if !wait && rand.IntN(10) == 0 {
		return false, nil
	}
	if wait {
		m.waited++
		if rand.IntN(100) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if got := binary.BigEndian.Uint32(message); got != m.next {
		m.t.Errorf("message %d where %d was due", got, m.next)
	}
	m.next++
	return true, nil
}

func (m *moody) End(err error) { m.ended <- err }

func numbered(n int) []byte {
	return grpcMessage(string(binary.BigEndian.AppendUint32(nil, uint32(n))) + "and some more")
}

func TestOrderIsKeptWhateverTheSinkDoes(t *testing.T) {
	const messages = 20_000
	var all []byte
	for n := range messages {
		all = append(all, numbered(n)...)
	}
	w := newWire().open(1)
	for len(all) > 0 {
		n := min(len(all), 1+rand.IntN(200))
		w.data(1, len(all) == n, all[:n]...)
		all = all[n:]
	}
	tap := New(Settings{Method: method, StreamWindow: 1 << 30, ConnectionWindow: 1 << 30, MaxMessage: 100, ReadBuffer: 8 << 10})
	c := tap.Conn(&memory{in: w.Bytes(), piece: 5000}, false)
	sink := &moody{t: t, ended: make(chan error, 2)}
	var work sync.WaitGroup
	late := time.AfterFunc(time.Millisecond, func() { c.Attach(sink, work.Go) }) // data may be there before
	defer late.Stop()
	p := make([]byte, 100)
	for {
		if _, err := c.Read(p); err != nil {
			break
		}
	}
	require.NoError(t, <-sink.ended)
	work.Wait()
	require.EqualValues(t, messages, sink.next)
	require.Positive(t, sink.waited)
	c.Detach()
	require.Empty(t, sink.ended, "the end is told once")
}

// What has arrived when a call is detached is still handed on, what comes later is not.
func TestDetach(t *testing.T) {
	c := newTestTap().Conn(&memory{}, false)
	sink := &moody{t: t, ended: make(chan error, 2)}
	_, holding := c.inbox.add(numbered(0))
	require.Positive(t, holding)
	c.Detach()
	_, holding = c.inbox.add(numbered(1))
	require.Zero(t, holding)
	var work sync.WaitGroup
	c.Attach(sink, work.Go)
	require.NoError(t, <-sink.ended)
	require.EqualValues(t, 1, sink.next)
}

// slow is a sink that takes nothing at once, and its second message only when it may.
type slow struct {
	taken int
	free  chan struct{}
	ended chan error
}

func (s *slow) Take(_ []byte, wait bool) (bool, error) {
	if !wait {
		return false, nil
	}
	if s.taken++; s.taken == 2 {
		<-s.free
	}
	return true, nil
}

func (s *slow) End(err error) { s.ended <- err }

// A call may be detached while its messages are handed on, which the race detector watches here.
func TestDetachWhileTheSinkTakes(t *testing.T) {
	c := newTestTap().Conn(&memory{}, false)
	sink := &slow{free: make(chan struct{}), ended: make(chan error, 2)}
	var work sync.WaitGroup
	c.Attach(sink, work.Go)
	c.inbox.add(numbered(0)[:7]) // the first message is put together, the second is held while it waits for the sink
	c.inbox.add(append(numbered(0)[7:], numbered(1)...))
	time.Sleep(20 * time.Millisecond) // anything that told when to go on would order what must not need an order
	c.Detach()
	close(sink.free)
	work.Wait()
	require.NoError(t, <-sink.ended)
	require.Equal(t, 2, sink.taken)
}

// A client that gRPC has sent away cannot make the gateway hold anything.
func TestRefusedCallsHoldNothing(t *testing.T) {
	trailers := []byte{0, 0, 1, byte(http2.FrameHeaders), byte(http2.FlagHeadersEndHeaders | http2.FlagHeadersEndStream), 0, 0, 0, 1, 0x88}
	reset := []byte{0, 0, 4, byte(http2.FrameRSTStream), 0, 0, 0, 0, 1, 0, 0, 0, 0}
	other := []byte{0, 0, 4, byte(http2.FrameRSTStream), 0, 0, 0, 0, 3, 0, 0, 0, 0}
	for _, end := range [][]byte{trailers, reset} {
		c := newTestTap().Conn(&memory{}, false)
		c.outgoing.id.Store(1)
		c.inbox.add(numbered(0))
		_, err := c.Write(append(other, end[:5]...))
		require.NoError(t, err)
		require.NotEmpty(t, c.inbox.held)
		_, err = c.Write(end[5:])
		require.NoError(t, err)
		require.Empty(t, c.inbox.held)
		_, holding := c.inbox.add(numbered(1))
		require.Zero(t, holding)
	}
}

// Updates of windows stand between gRPC's frames, wherever its writes begin and end.
func TestUpdatesStandBetweenFrames(t *testing.T) {
	out := &memory{}
	c := newTestTap().Conn(out, false)
	c.outgoing.id.Store(1)
	w := newWire()
	var sent int
	for n := range 200 {
		must(w.framer.WriteData(1, false, make([]byte, n*7)))
		must(w.framer.WritePing(false, [8]byte{}))
		sent += 2
	}
	var work sync.WaitGroup
	work.Go(func() {
		for range 5000 {
			c.acknowledge(10)
			c.outgoing.take(&c.outgoing.connection, 200)
		}
	})
	for rest := w.Bytes()[prefaceLength:]; len(rest) > 0; {
		n := min(len(rest), 1+rand.IntN(300))
		_, err := c.Write(rest[:n])
		require.NoError(t, err)
		rest = rest[n:]
	}
	work.Wait()
	given := map[uint32]uint32{}
	framer := http2.NewFramer(nil, &out.out)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			break
		}
		if update, ok := frame.(*http2.WindowUpdateFrame); ok {
			given[update.StreamID] += update.Increment
			continue
		}
		sent--
	}
	require.Equal(t, -1, sent, "all of gRPC's frames, and its settings")
	require.EqualValues(t, 50_000, given[1]+uint32(c.outgoing.stream.taken.Load()))
	require.EqualValues(t, 1_000_000, given[0]+uint32(c.outgoing.connection.taken.Load()))
	require.Positive(t, given[0])
	require.Positive(t, given[1])
}
