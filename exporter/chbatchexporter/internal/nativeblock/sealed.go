package nativeblock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/offheap"
)

// Sealed is a block that is complete: its columns are compressed and nothing changes any more.
type Sealed struct {
	Rows int
	// RawSize is the size before compression.
	RawSize int
	Columns []SealedColumn
	// memory holds the frames of a block that Seal made.
	memory *offheap.Memory
}

// SealedColumn is a column in compressed frames, as they go to the socket: name, type and data. Frames are valid as long as
// the Sealed is reachable.
type SealedColumn struct {
	Name, Type string
	Frames     []byte
}

// Size in bytes, compressed.
func (s *Sealed) Size() int {
	n := 0
	for i := range s.Columns {
		n += len(s.Columns[i].Frames)
	}
	return n
}

// Seal compresses the block's columns with c. The block may be reset afterwards.
func (b *Block) Seal(c *Compressor) (*Sealed, error) {
	s := &Sealed{Rows: b.Rows, Columns: make([]SealedColumn, len(b.Fields))}
	w := c.frames(c.out[:0])
	ends := make([]int, len(b.Fields))
	for i := range b.Fields {
		f := &b.Fields[i]
		if f.Column.Rows() != b.Rows {
			return nil, fmt.Errorf("column %s has %d rows of %d", f.Name, f.Column.Rows(), b.Rows)
		}
		f.write(w)
		if _, err := w.end(); err != nil {
			return nil, fmt.Errorf("compress column %s: %w", f.Name, err)
		}
		ends[i] = len(w.out)
	}
	c.out, s.RawSize = w.out, w.size
	s.memory = offheap.Clone(w.out, storedHead) // it may be kept for long
	frames := s.memory.Bytes()
	start := 0
	for i, end := range ends {
		s.Columns[i] = SealedColumn{Name: b.Fields[i].Name, Type: b.Fields[i].Type, Frames: frames[start:end:end]}
		start = end
	}
	return s, nil
}

func (f *Field) write(w *frameWriter) {
	w.string(f.Name)
	w.string(f.Type)
	w.write([]byte{0}) // no custom serialization
	f.Column.prefix(w)
	f.Column.data(w)
}

func appendString(b []byte, s string) []byte { return append(appendLen(b, len(s)), s...) }

// Wire is the body of a Data packet with the columns that keep accepts. The frames are not copied: s must stay reachable.
func (s *Sealed) Wire(c *Compressor, keep func(name string) bool) (net.Buffers, error) {
	out := net.Buffers{nil}
	columns := 0
	for i := range s.Columns {
		if keep(s.Columns[i].Name) {
			columns++
			out = append(out, s.Columns[i].Frames)
		}
	}
	head := append(make([]byte, 0, 64), blockInfo[:]...)
	head = binary.AppendUvarint(head, uint64(columns))
	head = binary.AppendUvarint(head, uint64(s.Rows))
	var err error
	out[0], err = c.appendFrames(nil, head)
	return out, err
}

// blockInfo: field 1, no overflow row; field 2, bucket -1; end.
var blockInfo = [...]byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0}

// codecVersion of Append and Parse. What is on disk is read by later versions of the exporter.
const codecVersion = 1

// storedHead is how much room Seal leaves for what stands in front of the frames in storage: most of it is the columns' names and types.
const storedHead = 4 << 10

// Stored writes head and the block for storage, like Append. Frames that Seal has made are not copied: what it returns is valid as long as s is
// reachable, and until it is called again.
func (s *Sealed) Stored(head []byte) []byte {
	head = s.appendHead(head)
	if s.memory != nil {
		if b := s.memory.Behind(head); b != nil {
			return b
		}
	}
	return s.appendFrames(head)
}

// Append writes the block for storage.
func (s *Sealed) Append(b []byte) []byte { return s.appendFrames(s.appendHead(b)) }

func (s *Sealed) appendHead(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, uint64(s.Rows))
	b = binary.AppendUvarint(b, uint64(s.RawSize))
	b = binary.AppendUvarint(b, uint64(len(s.Columns)))
	for i := range s.Columns {
		c := &s.Columns[i]
		b = appendString(b, c.Name)
		b = appendString(b, c.Type)
		b = binary.AppendUvarint(b, uint64(len(c.Frames)))
	}
	return b
}

func (s *Sealed) appendFrames(b []byte) []byte {
	b = slices.Grow(b, s.Size())
	for i := range s.Columns {
		b = append(b, s.Columns[i].Frames...)
	}
	runtime.KeepAlive(s)
	return b
}

// Parse reads what Append wrote; it keeps b. Frames are checked by their checksums when they are read.
func Parse(b []byte) (*Sealed, error) {
	r := reader{b: b}
	if v := r.byte(); r.err == nil && v != codecVersion {
		return nil, fmt.Errorf("sealed block: unknown version %d", v)
	}
	s := &Sealed{Rows: r.length(maxRows), RawSize: r.length(maxBytes)}
	sizes := make([]int, 0, 64)
	for n := r.length(maxColumns); n > 0 && r.err == nil; n-- {
		s.Columns = append(s.Columns, SealedColumn{Name: r.string(), Type: r.string()})
		sizes = append(sizes, r.length(maxBytes))
	}
	for i, n := range sizes {
		s.Columns[i].Frames = r.take(n)
	}
	if r.err == nil && len(r.b) != 0 {
		r.err = errors.New("bytes after the end")
	}
	if r.err != nil {
		return nil, fmt.Errorf("sealed block: %w", r.err)
	}
	return s, nil
}
