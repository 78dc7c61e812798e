package nativeblock

import (
	"encoding/binary"
	"math"
)

// Column holds values of one column. Not safe for concurrent use.
type Column interface {
	// Rows that were appended since the last Reset.
	Rows() int
	// Size is about how many bytes they take before compression.
	Size() int
	// Reset forgets the rows and keeps the memory.
	Reset()
	// held is how many bytes they take now.
	held() int
	// press compresses what is complete.
	press(c *Compressor)
	// prefix writes what the format wants before any data, also before the offsets of an array around it.
	prefix(w *frameWriter)
	data(w *frameWriter)
}

// Fixed is a column of numbers of Width bytes: integers, floats, Bool, DateTime and DateTime64.
type Fixed struct {
	buffer
	width int
}

// NewFixed makes a column of numbers; width is 1, 2, 4 or 8 bytes.
func NewFixed(width int) *Fixed { return &Fixed{width: width} }

func (c *Fixed) Rows() int { return c.size() / c.width }

func (c *Fixed) Size() int { return c.size() }

func (c *Fixed) Reset() { c.reset() }

func (c *Fixed) press(p *Compressor) { c.buffer.press(p, len(c.buf)) }

func (c *Fixed) prefix(*frameWriter) {}

func (c *Fixed) data(w *frameWriter) { c.write(w) }

// Append8 appends to a column of 1 byte. The column's width must be that of the method, for all of them.
func (c *Fixed) Append8(v uint8) { c.buf = append(c.buf, v) }

// Append16 appends to a column of 2 bytes.
func (c *Fixed) Append16(v uint16) { c.buf = binary.LittleEndian.AppendUint16(c.buf, v) }

// Append32 appends to a column of 4 bytes.
func (c *Fixed) Append32(v uint32) { c.buf = binary.LittleEndian.AppendUint32(c.buf, v) }

// Append64 appends to a column of 8 bytes.
func (c *Fixed) Append64(v uint64) { c.buf = binary.LittleEndian.AppendUint64(c.buf, v) }

// AppendFloat32 appends a Float32.
func (c *Fixed) AppendFloat32(v float32) { c.Append32(math.Float32bits(v)) }

// AppendFloat64 appends a Float64.
func (c *Fixed) AppendFloat64(v float64) { c.Append64(math.Float64bits(v)) }

// AppendBool appends a Bool or UInt8.
func (c *Fixed) AppendBool(v bool) {
	if v {
		c.Append8(1)
		return
	}
	c.Append8(0)
}

// String is a column of arbitrary bytes.
type String struct {
	buffer
	rows int
}

// NewString makes a String column.
func NewString() *String { return &String{} }

func (c *String) Rows() int { return c.rows }

func (c *String) Size() int { return c.size() }

func (c *String) Reset() {
	c.reset()
	c.rows = 0
}

func (c *String) press(p *Compressor) { c.buffer.press(p, len(c.buf)) }

func (c *String) prefix(*frameWriter) {}

func (c *String) data(w *frameWriter) { c.write(w) }

// Append copies v.
func (c *String) Append(v string) {
	c.buf = append(appendLen(c.buf, len(v)), v...)
	c.rows++
}

// AppendBytes copies v.
func (c *String) AppendBytes(v []byte) {
	c.buf = append(appendLen(c.buf, len(v)), v...)
	c.rows++
}

// AppendHex appends v as lower-case hexadecimal.
func (c *String) AppendHex(v []byte) {
	c.buf = appendLen(c.buf, 2*len(v))
	for _, x := range v {
		c.buf = append(c.buf, hexDigits[x>>4], hexDigits[x&15])
	}
	c.rows++
}

// AppendFunc appends what write adds to the slice that it is given.
func (c *String) AppendFunc(write func(b []byte) []byte) {
	// Most values are shorter than 128 bytes, and their length is one byte.
	start := len(c.buf)
	c.buf = write(append(c.buf, 0))
	n := len(c.buf) - start - 1
	c.rows++
	if n < 0x80 {
		c.buf[start] = byte(n)
		return
	}
	var head [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(head[:], uint64(n))
	c.buf = append(c.buf, head[:k-1]...)
	copy(c.buf[start+k:], c.buf[start+1:start+1+n])
	copy(c.buf[start:], head[:k])
}

const hexDigits = "0123456789abcdef"

func appendLen(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(b, uint64(n))
}
