package streamtap

import (
	"encoding/binary"
	"math"

	"golang.org/x/net/http2"
)

// A stream that the server ends goes on at the client until that has read so: what it has sent by then arrives after the end, and gRPC would throw it
// away. The client answers with RST_STREAM, behind all that it has sent. Three things may still be lost, which Linger and Leave see to:
//   - What the client holds back because its window is used up, for it throws that away when it reads of the end. So a wider window goes in
//     front of the end.
//   - What arrives late. It is taken until the RST_STREAM.
//   - What is still in the client's kernel when the client has closed its socket: the kernel throws it away as soon as something
//     arrives for it. So nothing is written until all has been taken.

// LateWindow is how much a client can send beyond what it may have under way otherwise, until it has read the end of its stream.
const LateWindow = 2 << 20

// Behind reports whether data of the tapped call wait for the sink.
func (c *Conn) Behind() bool {
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	return c.inbox.behind || len(c.inbox.held) > 0
}

// Linger makes data be taken after gRPC has ended the tapped call, until Detach. It is called before gRPC does so. The channel is closed
// when no more data come: the client has ended or reset its stream, or the connection is closed.
func (c *Conn) Linger() (over <-chan struct{}) {
	more := min(LateWindow, math.MaxInt32-max(c.outgoing.stream.limit, c.outgoing.connection.limit))
	c.widened.Store(more)
	c.outgoing.linger(more, c.nudges())
	return c.inbox.linger()
}

// nudges is how many frames make gRPC's client write all that it holds back. It writes one message for each frame that it reads, and one for
// each message that it is given: the number of those that it had to hold back once does not fall by itself while there are more.
func (c *Conn) nudges() int64 {
	bytes, frames := c.received.Load(), c.frames.Load()
	if bytes == 0 {
		return 0
	}
	return min(frames, maxNudges, 2*heldBack*frames/bytes)
}

const (
	// heldBack is what gRPC's client holds back at most, in bytes: 64 KiB, and the message that did not fit.
	heldBack  = 80 << 10
	maxNudges = 2048
)

// linger prepares what goes in front of the end of the tapped stream. The nudges open the connection's window by a byte each. Other updates wait.
func (o *outgoing) linger(more, nudges int64) {
	frames := make([]byte, 0, (2+nudges)*updateFrame)
	frames = appendUpdate(frames, 0, o.connection.taken.Swap(0)+more)
	frames = appendUpdate(frames, o.id.Load(), o.stream.taken.Swap(0)+more)
	for range nudges {
		frames = appendUpdate(frames, 0, 1)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.quiet.Store(true)
	o.farewell = frames
}

func (b *inbox) linger() <-chan struct{} {
	b.mu.Lock()
	b.late = make(chan struct{})
	if b.ended {
		close(b.late)
	} else if b.gone {
		b.stop()
	}
	b.settle()
	return b.late
}

// leave says that the client sends no more. Before the call lingers gRPC sees to its end.
func (b *inbox) leave() {
	b.mu.Lock()
	b.gone = true
	if b.late != nil {
		b.stop()
	}
	b.settle()
}

// Leave tells the client to open no more calls on this connection, and to close it when it has none.
func (c *Conn) Leave() {
	c.outgoing.leaving.Store(true)
	c.outgoing.quiet.Store(false)
	c.outgoing.due.Store(true)
	c.outgoing.update()
}

// goAwayFrame is the length of a GOAWAY frame without a text.
const goAwayFrame = frameHeader + 8

// appendGoAway adds a GOAWAY that lets calls go on, those too that the client opens before it has read it.
func appendGoAway(to []byte) []byte {
	to = append(to, 0, 0, goAwayFrame-frameHeader, byte(http2.FrameGoAway), 0, 0, 0, 0, 0)
	to = binary.BigEndian.AppendUint32(to, math.MaxInt32)
	return binary.BigEndian.AppendUint32(to, uint32(http2.ErrCodeNo))
}
