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

// maxFrame is how many bytes go into one frame. ClickHouse reads up to 1 GiB; small ones bound memory on both sides.
const maxFrame = 8 << 20

// Compressor writes ClickHouse's compressed frames. Not safe for concurrent use.
type Compressor struct {
	w        *compress.Writer
	raw, out []byte
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

func (c *Compressor) appendFrames(b, raw []byte) ([]byte, error) {
	for len(raw) > 0 {
		n := min(len(raw), maxFrame)
		if err := c.w.Compress(raw[:n]); err != nil {
			return b, err
		}
		b = append(b, c.w.Data...)
		raw = raw[n:]
	}
	return b, nil
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
