package streamtap

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// outgoing lets window updates of the tap in between the frames that gRPC writes.
type outgoing struct {
	socket             net.Conn
	stream, connection window
	// id is that of the tapped stream.
	id atomic.Uint32
	// due says that an update should be written, quiet that this has to wait; leaving that the client is to be told to leave the connection,
	// ended that gRPC has ended the tapped stream.
	due, quiet, leaving, ended atomic.Bool

	// mu is held while bytes go out. The fields below say where gRPC's frames end: head are the first bytes of a header, left
	// is what is missing of a payload.
	mu   sync.Mutex
	head [frameHeader]byte
	have int
	left int
	// farewell goes in front of the end of the tapped stream.
	farewell []byte
}

// window is a flow control window. taken is what the peer has not been told of.
type window struct {
	limit int64
	taken atomic.Int64
}

// updateShare is the part of a window after which the peer is told, as in gRPC's transport.
const updateShare = 4

// take notes that n bytes of a window have been taken, and tells the peer when they are many.
func (o *outgoing) take(w *window, n int) {
	if w.taken.Add(int64(n)) >= w.limit/updateShare {
		o.due.Store(true)
		o.update()
	}
}

// write writes what gRPC writes, and then the updates that are due. It reports whether gRPC has ended the tapped stream.
func (o *outgoing) write(p []byte) (n int, ended bool, err error) {
	o.mu.Lock()
	between := o.between()
	if ended = o.follow(p); ended {
		o.ended.Store(true)
	}
	if ended && between && o.farewell != nil {
		n, err = o.writeBehind(o.farewell, p)
		o.farewell = nil
	} else {
		n, err = o.socket.Write(p)
	}
	o.mu.Unlock()
	o.update()
	return n, ended, err
}

// writeBehind writes both, and returns how much of p was written.
func (o *outgoing) writeBehind(first, p []byte) (int, error) {
	n, err := o.socket.Write(append(first, p...))
	return max(0, n-len(first)), err
}

// between reports whether gRPC has written whole frames.
func (o *outgoing) between() bool { return o.have == 0 && o.left == 0 }

// follow finds the ends of frames, and that of the tapped stream.
func (o *outgoing) follow(p []byte) (ended bool) {
	for len(p) > 0 {
		if o.left > 0 {
			n := min(o.left, len(p))
			o.left -= n
			p = p[n:]
			continue
		}
		n := copy(o.head[o.have:], p)
		p = p[n:]
		if o.have += n; o.have == frameHeader {
			o.have, o.left = 0, payloadLength(o.head[:])
			ended = ended || o.endsStream()
		}
	}
	return ended
}

// endsStream looks at the header of a frame.
func (o *outgoing) endsStream() bool {
	kind, flags := http2.FrameType(o.head[3]), http2.Flags(o.head[4])
	return streamOf(o.head[:]) == o.id.Load() &&
		(kind == http2.FrameRSTStream || kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream))
}

// update writes the updates that are due, unless gRPC is writing: then it does so afterwards.
func (o *outgoing) update() {
	for o.due.Load() && !o.quiet.Load() && o.mu.TryLock() {
		between := o.between()
		if between {
			o.due.Store(false)
			var frames [2*updateFrame + goAwayFrame]byte
			written := appendUpdate(frames[:0], 0, o.connection.taken.Swap(0))
			if n := o.stream.taken.Swap(0); !o.ended.Load() {
				written = appendUpdate(written, o.id.Load(), n)
			}
			if o.leaving.Swap(false) {
				written = appendGoAway(written)
			}
			_, _ = o.socket.Write(written) // a connection that fails says so to its reader
		}
		o.mu.Unlock()
		if !between {
			return
		}
	}
}

// updateFrame is the length of a WINDOW_UPDATE frame.
const updateFrame = frameHeader + 4

func appendUpdate(to []byte, stream uint32, n int64) []byte {
	if n <= 0 {
		return to
	}
	to = append(to, 0, 0, 4, byte(http2.FrameWindowUpdate), 0)
	to = binary.BigEndian.AppendUint32(to, stream)
	return binary.BigEndian.AppendUint32(to, uint32(n))
}
