package nativeblock

import (
	"encoding/binary"
	"errors"
	"io"
)

// Bounds for what is read back, so that damaged bytes cannot ask for all memory.
const (
	maxRows    = 100_000_000
	maxColumns = 10_000
	maxBytes   = 4 << 30
)

var errOutOfBounds = errors.New("a length is out of bounds")

// reader takes values from b until an error, which it keeps.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) length(limit int) int {
	v, n := binary.Uvarint(r.b)
	if r.err == nil && n <= 0 {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err == nil && v > uint64(limit) {
		r.err = errOutOfBounds
	}
	if r.err != nil {
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (r *reader) string() string { return string(r.take(r.length(maxBytes))) }
