package nativeblock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/compress"
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
	w   *compress.Writer
	fw  frameWriter
	out []byte
}

// NewCompressor makes one for a method.
func NewCompressor(method string) (*Compressor, error) {
	methods := map[string]compress.Method{LZ4: compress.LZ4, ZSTD: compress.ZSTD, None: compress.None}
	m, ok := methods[method]
	if !ok {
		return nil, fmt.Errorf("unknown compression %q", method)
	}
	return &Compressor{w: compress.NewWriter(compress.LevelZero, m)}, nil
}

// frames returns a writer that appends frames to b.
func (c *Compressor) frames(b []byte) *frameWriter {
	w := &c.fw
	w.w, w.out, w.raw, w.size, w.err = c.w, b, w.raw[:0], 0, nil
	return w
}

func (c *Compressor) appendFrames(b, raw []byte) ([]byte, error) {
	w := c.frames(b)
	w.write(raw)
	return w.end()
}

// frameWriter collects small pieces, and compresses.
type frameWriter struct {
	w    *compress.Writer
	out  []byte
	raw  []byte // not compressed yet
	buf  []byte // for callers
	size int    // bytes that were written, before compression
	err  error  // the first one
}

func (w *frameWriter) write(p []byte) {
	w.size += len(p)
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

func (w *frameWriter) compress(p []byte) {
	if w.err == nil {
		w.err = w.w.Compress(p)
	}
	if w.err == nil {
		w.out = append(w.out, w.w.Data...)
	}
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
