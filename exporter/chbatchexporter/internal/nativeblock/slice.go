package nativeblock

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
)

// Slice makes a block of the rows from..to of a sealed one, to find the row that ClickHouse refuses.
func (s *Sealed) Slice(from, to int, c *Compressor) (*Sealed, error) {
	if from < 0 || to > s.Rows || from >= to {
		return nil, fmt.Errorf("rows %d to %d of %d", from, to, s.Rows)
	}
	defer runtime.KeepAlive(s)
	out := &Sealed{Rows: to - from, Columns: make([]SealedColumn, len(s.Columns))}
	for i := range s.Columns {
		raw, err := s.Columns[i].rows(s.Rows, from, to)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", s.Columns[i].Name, err)
		}
		out.RawSize += len(raw)
		frames, err := c.appendFrames(nil, raw)
		if err != nil {
			return nil, fmt.Errorf("compress column %s: %w", s.Columns[i].Name, err)
		}
		out.Columns[i] = SealedColumn{Name: s.Columns[i].Name, Type: s.Columns[i].Type, Frames: frames}
	}
	return out, nil
}

// rows is the column with some of its rows only: name, type and data.
func (c *SealedColumn) rows(total, from, to int) ([]byte, error) {
	raw, err := decompress(c.Frames)
	if err != nil {
		return nil, err
	}
	r := &reader{b: raw}
	name, typ := r.string(), r.string()
	r.byte()
	if r.err != nil || name != c.Name || typ != c.Type {
		return nil, fmt.Errorf("not a column %s %s: %w", c.Name, c.Type, r.err)
	}
	t, err := parseType(typ)
	if err != nil {
		return nil, err
	}
	out := raw[: len(raw)-len(r.b) : len(raw)-len(r.b)]
	out = append(out, t.prefix(r)...)
	out = t.slice(r, out, total, from, to)
	if r.err == nil && len(r.b) != 0 {
		r.err = fmt.Errorf("%d bytes after the end", len(r.b))
	}
	return out, r.err
}

// AppendNative appends the block in the Native format of files, which `INSERT ... FORMAT Native` reads.
func (s *Sealed) AppendNative(b []byte) ([]byte, error) {
	defer runtime.KeepAlive(s)
	b = binary.AppendUvarint(b, uint64(len(s.Columns)))
	b = binary.AppendUvarint(b, uint64(s.Rows))
	for i := range s.Columns {
		c := &s.Columns[i]
		raw, err := decompress(c.Frames)
		if err != nil {
			return b, fmt.Errorf("column %s: %w", c.Name, err)
		}
		// Files have no byte for the serialization.
		r := &reader{b: raw}
		r.string()
		r.string()
		b = append(b, raw[:len(raw)-len(r.b)]...)
		r.byte()
		if r.err != nil {
			return b, fmt.Errorf("column %s: %w", c.Name, r.err)
		}
		b = append(b, r.b...)
	}
	return b, nil
}

// ParseNative reads one block of a file in Native format and compresses it.
func ParseNative(b []byte, c *Compressor) (*Sealed, error) {
	r := &reader{b: b}
	columns := r.length(maxColumns)
	s := &Sealed{Rows: r.length(maxRows), RawSize: len(b)}
	for i := 0; i < columns && r.err == nil; i++ {
		col, err := parseNativeColumn(r, s.Rows, c)
		if err != nil {
			return nil, err
		}
		s.Columns = append(s.Columns, col)
	}
	if r.err == nil && len(r.b) != 0 {
		r.err = fmt.Errorf("%d bytes after the end", len(r.b))
	}
	return s, r.err
}

func parseNativeColumn(r *reader, rows int, c *Compressor) (SealedColumn, error) {
	col := SealedColumn{Name: r.string(), Type: r.string()}
	t, err := parseType(col.Type)
	if err != nil {
		return col, fmt.Errorf("column %s: %w", col.Name, err)
	}
	raw := append(appendString(appendString(nil, col.Name), col.Type), 0)
	raw = append(raw, t.prefix(r)...)
	raw = t.slice(r, raw, rows, 0, rows)
	if r.err != nil {
		return col, fmt.Errorf("column %s: %w", col.Name, r.err)
	}
	col.Frames, err = c.appendFrames(nil, raw)
	return col, err
}

// prefix takes what stands before the data of a column of this type.
func (t *typ) prefix(r *reader) []byte {
	start := r.b
	switch t.kind {
	case kindLowCardinality:
		r.uint64()
	case kindArray:
		t.args[0].prefix(r)
	case kindMap:
		t.args[0].prefix(r)
		t.args[1].prefix(r)
	}
	return start[:len(start)-len(r.b)]
}

// slice reads a column of total rows and appends the rows from..to.
func (t *typ) slice(r *reader, out []byte, total, from, to int) []byte {
	switch t.kind {
	case kindFixed:
		if data := r.take(total * t.width); data != nil {
			out = append(out, data[from*t.width:to*t.width]...)
		}
	case kindString:
		out = sliceStrings(r, out, total, from, to)
	case kindLowCardinality:
		out = sliceLowCardinality(r, out, total, from, to)
	default:
		out = t.sliceNested(r, out, total, from, to)
	}
	return out
}

func sliceStrings(r *reader, out []byte, total, from, to int) []byte {
	for i := 0; i < total && r.err == nil; i++ {
		start := r.b
		r.take(r.length(maxBytes))
		if i >= from && i < to {
			out = append(out, start[:len(start)-len(r.b)]...)
		}
	}
	return out
}

// sliceLowCardinality keeps the whole dictionary.
func sliceLowCardinality(r *reader, out []byte, total, from, to int) []byte {
	if total == 0 {
		return out
	}
	start := r.b
	flags := r.uint64()
	words := r.uint64()
	for i := uint64(0); i < words && r.err == nil; i++ {
		r.take(r.length(maxBytes))
	}
	head := start[:len(start)-len(r.b)]
	rows := r.uint64()
	width := 1 << (flags & 3)
	data := r.take(total * width)
	if r.err == nil && rows != uint64(total) {
		r.err = fmt.Errorf("dictionary index of %d rows, not %d", rows, total)
	}
	if r.err != nil || from == to {
		return out
	}
	out = append(out, head...)
	out = binary.LittleEndian.AppendUint64(out, uint64(to-from))
	return append(out, data[from*width:to*width]...)
}

// sliceNested is for arrays and maps: offsets, then the values of all rows.
func (t *typ) sliceNested(r *reader, out []byte, total, from, to int) []byte {
	offsets := r.take(total * 8)
	if r.err != nil {
		return out
	}
	at := func(row int) int {
		if row == 0 {
			return 0
		}
		return int(binary.LittleEndian.Uint64(offsets[(row-1)*8:]))
	}
	first, last, all := at(from), at(to), at(total)
	if first < 0 || first > last || last > all || all > maxRows {
		r.err = io.ErrUnexpectedEOF
		return out
	}
	for row := from + 1; row <= to; row++ {
		out = binary.LittleEndian.AppendUint64(out, uint64(at(row)-first))
	}
	for _, arg := range t.args {
		out = arg.slice(r, out, all, first, last)
	}
	return out
}
