package nativeblock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/cespare/xxhash/v2"
	"github.com/go-faster/city"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compression methods, by their names in the configuration.
const (
	LZ4  = "lz4"
	ZSTD = "zstd"
	None = "none"
)

const (
	// frameSize is how many bytes go into one frame: few enough to stay in the CPU's caches.
	frameSize = 1 << 20
	// maxFrame is the largest frame that is read back.
	maxFrame = 8 << 20
	// directSize is how large a piece must be to be compressed where it is, without a copy.
	directSize = 128 << 10
)

// Compressor writes ClickHouse's compressed frames. Not safe for concurrent use.
type Compressor struct {
	fw  frameWriter
	out []byte
}

// NewCompressor makes one for a method.
func NewCompressor(method string) (*Compressor, error) {
	c := &Compressor{}
	switch method {
	case LZ4:
		c.fw.method, c.fw.encode = methodLZ4, new(lz4Encoder).encode
	case ZSTD:
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		c.fw.method = methodZSTD
		c.fw.encode = func(dst, raw []byte) ([]byte, error) { return enc.EncodeAll(raw, dst), nil }
	case None:
		c.fw.method = methodNone
		c.fw.encode = func(dst, raw []byte) ([]byte, error) { return append(dst, raw...), nil }
	default:
		return nil, fmt.Errorf("unknown compression %q", method)
	}
	return c, nil
}

// Methods as frames name them.
const (
	methodNone = 0x02
	methodLZ4  = 0x82
	methodZSTD = 0x90
)

type lz4Encoder struct{ c lz4.Compressor }

// encode appends to dst, in place: ch-go's writer clears its output before each frame and has it copied.
func (e *lz4Encoder) encode(dst, raw []byte) ([]byte, error) {
	dst = slices.Grow(dst, lz4.CompressBlockBound(len(raw)))
	n, err := e.c.CompressBlock(raw, dst[len(dst):cap(dst)])
	return dst[:len(dst)+n], err
}

// frames returns a writer that appends frames to b.
func (c *Compressor) frames(b []byte) *frameWriter {
	w := &c.fw
	w.out, w.raw, w.size, w.err = b, w.raw[:0], 0, nil
	return w
}

func (c *Compressor) appendFrames(b, raw []byte) ([]byte, error) {
	w := c.frames(b)
	w.write(raw)
	return w.end()
}

// frameWriter collects small pieces, and compresses.
type frameWriter struct {
	method byte
	encode func(dst, raw []byte) ([]byte, error)

	out  []byte
	raw  []byte // not compressed yet
	buf  []byte // for callers
	size int    // bytes that were written, before compression
	err  error  // the first one

	digest *xxhash.Digest // of what is written, where somebody wants it
}

func (w *frameWriter) write(p []byte) {
	w.size += len(p)
	if w.digest != nil {
		_, _ = w.digest.Write(p) // never fails
	}
	if len(p) >= directSize {
		w.flush()
		for ; len(p) > frameSize; p = p[frameSize:] {
			w.compress(p[:frameSize])
		}
		w.compress(p)
		return
	}
	if w.raw = append(w.raw, p...); len(w.raw) >= frameSize-directSize {
		w.flush()
	}
}

func (w *frameWriter) uint64(v uint64) {
	w.buf = binary.LittleEndian.AppendUint64(w.buf[:0], v)
	w.write(w.buf)
}

func (w *frameWriter) string(s string) {
	w.buf = appendString(w.buf[:0], s)
	w.write(w.buf)
}

func (w *frameWriter) flush() {
	if len(w.raw) > 0 {
		w.compress(w.raw)
		w.raw = w.raw[:0]
	}
}

// compress appends a frame.
func (w *frameWriter) compress(p []byte) {
	if w.err != nil {
		return
	}
	start := len(w.out)
	w.out = append(w.out, make([]byte, headerSize)...)
	if w.out, w.err = w.encode(w.out, p); w.err != nil {
		return
	}
	f := w.out[start:]
	f[checksumSize] = w.method
	binary.LittleEndian.PutUint32(f[rawSizeAt:], uint32(len(f)-checksumSize))
	binary.LittleEndian.PutUint32(f[dataSizeAt:], uint32(len(p)))
	sum := city.CH128(f[checksumSize:])
	binary.LittleEndian.PutUint64(f, sum.Low)
	binary.LittleEndian.PutUint64(f[8:], sum.High)
}

// end returns the frames. The next piece begins a new one.
func (w *frameWriter) end() ([]byte, error) {
	w.flush()
	return w.out, w.err
}

// A frame is: checksum, method, size with the header but without the checksum, size of the data, compressed data.
const (
	checksumSize = 16
	rawSizeAt    = checksumSize + 1
	dataSizeAt   = rawSizeAt + 4
	headerSize   = dataSizeAt + 4
)

// decompress returns what the frames hold.
func decompress(frames []byte) ([]byte, error) {
	size, err := decompressedSize(frames)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	_, err = io.ReadFull(compress.NewReader(bytes.NewReader(frames)), raw)
	return raw, err
}

func decompressedSize(frames []byte) (int, error) {
	size := 0
	for len(frames) > 0 {
		if len(frames) < headerSize {
			return 0, io.ErrUnexpectedEOF
		}
		next := checksumSize + int(binary.LittleEndian.Uint32(frames[rawSizeAt:]))
		if next < headerSize || next > len(frames) {
			return 0, io.ErrUnexpectedEOF
		}
		data := int(binary.LittleEndian.Uint32(frames[dataSizeAt:]))
		if data > maxFrame {
			return 0, errOutOfBounds
		}
		size += data
		frames = frames[next:]
	}
	if size > maxBytes {
		return 0, errOutOfBounds
	}
	return size, nil
}
