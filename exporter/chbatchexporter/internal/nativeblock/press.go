package nativeblock

import "slices"

// pressSize is how many bytes of a column are worth a frame: few enough to be in the CPU's cache when they are compressed.
const pressSize = 128 << 10

// buffer is what a column has written: compressed frames, then bytes that are not compressed yet.
type buffer struct {
	frames  []byte
	pressed int // bytes that frames hold, before compression
	buf     []byte
}

func (b *buffer) size() int { return b.pressed + len(b.buf) }

func (b *buffer) held() int { return len(b.frames) + len(b.buf) }

func (b *buffer) reset() { b.frames, b.pressed, b.buf = b.frames[:0], 0, b.buf[:0] }

// press compresses the first n bytes of buf, if that is worth it, and tells how many it took. An error leaves them to Seal.
func (b *buffer) press(c *Compressor, n int) int {
	if n < pressSize {
		return 0
	}
	w := c.frames(b.frames)
	for piece := range slices.Chunk(b.buf[:n], frameSize) {
		w.compress(piece)
	}
	if w.err != nil {
		return 0
	}
	b.frames, b.pressed = w.out, b.pressed+n
	b.buf = b.buf[:copy(b.buf, b.buf[n:])]
	return n
}

func (b *buffer) write(w *frameWriter) {
	w.append(b.frames, b.pressed)
	w.write(b.buf)
}

// append takes frames over that hold size bytes.
func (w *frameWriter) append(frames []byte, size int) {
	if size == 0 {
		return
	}
	w.flush()
	w.out = append(w.out, frames...)
	w.size += size
}

// Press compresses what columns have collected. A block that is pressed as it grows takes little more memory than it will
// when it is sealed, and its bytes are compressed while they are in the CPU's cache.
func (b *Block) Press(c *Compressor) {
	for i := range b.Fields {
		b.Fields[i].Column.press(c)
	}
}

// Held is how many bytes the rows take now.
func (b *Block) Held() int {
	n := 0
	for i := range b.Fields {
		n += b.Fields[i].Column.held()
	}
	return n
}
