package link

import "encoding/binary"

const (
	frameHeader   = 9 // HTTP/2
	messagePrefix = 5 // gRPC
	maxFrame      = 16384
	flagEndStream = 1
	streamID      = 1
	// MaxExtend is the largest message that Extend takes; Append takes any.
	MaxExtend = maxFrame - messagePrefix
)

// Batch holds messages as they go onto the wire: each in a DATA frame of its own, as grpc-go writes them. The zero
// value is empty; Reset keeps the memory.
type Batch struct {
	buf    []byte
	frames []frame
	count  int
}

// frame ends at end; last is true at the end of a message.
type frame struct {
	end  int
	last bool
}

// Reset empties the batch.
func (b *Batch) Reset() { b.buf, b.frames, b.count = b.buf[:0], b.frames[:0], 0 }

// Len is the number of messages, Size the bytes on the wire.
func (b *Batch) Len() int  { return b.count }
func (b *Batch) Size() int { return len(b.buf) }

// Extend adds a message of n bytes, at most MaxExtend, and returns its room for the caller to fill at once.
func (b *Batch) Extend(n int) []byte {
	start := len(b.buf)
	end := start + frameHeader + messagePrefix + n
	if end > cap(b.buf) {
		b.buf = append(make([]byte, 0, 2*end), b.buf...)
	}
	b.buf = b.buf[:end]
	head := b.buf[start : start+frameHeader+messagePrefix]
	putFrameHeader(head, messagePrefix+n, 0)
	putMessagePrefix(head[frameHeader:], n)
	b.frames = append(b.frames, frame{end: end, last: true})
	b.count++
	return b.buf[start+frameHeader+messagePrefix : end]
}

// Append adds a copy of msg, cut into several frames when it is large.
func (b *Batch) Append(msg []byte) {
	if len(msg) <= MaxExtend {
		copy(b.Extend(len(msg)), msg)
		return
	}
	room := b.Extend(MaxExtend)
	putMessagePrefix(b.buf[len(b.buf)-maxFrame:], len(msg))
	msg = msg[copy(room, msg):]
	for len(msg) > 0 {
		b.frames[len(b.frames)-1].last = false
		n := min(len(msg), maxFrame)
		var head [frameHeader]byte
		putFrameHeader(head[:], n, 0)
		b.buf = append(append(b.buf, head[:]...), msg[:n]...)
		b.frames = append(b.frames, frame{end: len(b.buf), last: true})
		msg = msg[n:]
	}
}

func putFrameHeader(dst []byte, length int, flags byte) {
	dst[0], dst[1], dst[2] = byte(length>>16), byte(length>>8), byte(length)
	dst[3], dst[4] = 0, flags // type DATA
	binary.BigEndian.PutUint32(dst[5:9], streamID)
}

func putMessagePrefix(dst []byte, length int) {
	dst[0] = 0 // not compressed
	binary.BigEndian.PutUint32(dst[1:5], uint32(length))
}

// each calls f with a fresh copy of every message, in order, until it fails.
func (b *Batch) each(f func(msg []byte) error) (done int, err error) {
	start := 0
	var msg []byte
	for _, fr := range b.frames {
		msg = append(msg, b.buf[start+frameHeader:fr.end]...)
		start = fr.end
		if !fr.last {
			continue
		}
		if err := f(msg[messagePrefix:]); err != nil {
			return done, err
		}
		msg = nil
		done++
	}
	return done, nil
}
