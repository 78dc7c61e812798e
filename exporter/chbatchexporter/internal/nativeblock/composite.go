package nativeblock

import "encoding/binary"

// Array is a column of arrays. The values of a row are appended to Values, then the row is ended with End.
type Array[C Column] struct {
	Values  C
	offsets []byte
}

// NewArray makes an Array column over a column of its values.
func NewArray[C Column](values C) *Array[C] { return &Array[C]{Values: values} }

func (c *Array[C]) Rows() int { return len(c.offsets) / 8 }

func (c *Array[C]) Size() int { return len(c.offsets) + c.Values.Size() }

func (c *Array[C]) Reset() {
	c.offsets = c.offsets[:0]
	c.Values.Reset()
}

// End makes one row of the values that were appended since the last End.
func (c *Array[C]) End() {
	c.offsets = binary.LittleEndian.AppendUint64(c.offsets, uint64(c.Values.Rows()))
}

func (c *Array[C]) prefix(w *frameWriter) { c.Values.prefix(w) }

func (c *Array[C]) data(w *frameWriter) {
	w.write(c.offsets)
	c.Values.data(w)
}

// Map is a column Map(LowCardinality(String), String), or Map(String, String) when keys are not in a dictionary.
type Map struct {
	low     *LowCardinality // nil: keys are in plain
	plain   *String
	values  *String
	offsets []byte
	start   int // pairs before the current row
	prev    int // pairs before the row before it
	// Bytes before the current row and the row before it, of the values and of plain keys.
	valueStart, prevValueStart int
	keyStart, prevKeyStart     int
}

// NewMap makes a Map(LowCardinality(String), String) column.
func NewMap() *Map { return &Map{low: NewLowCardinality(), values: NewString()} }

// NewPlainMap makes a Map(String, String) column.
func NewPlainMap() *Map { return &Map{plain: NewString(), values: NewString()} }

func (c *Map) Rows() int { return len(c.offsets) / 8 }

func (c *Map) Size() int { return len(c.offsets) + c.keys().Size() + c.values.Size() }

func (c *Map) Reset() {
	c.offsets = c.offsets[:0]
	c.keys().Reset()
	c.values.Reset()
	c.start, c.prev, c.valueStart, c.prevValueStart, c.keyStart, c.prevKeyStart = 0, 0, 0, 0, 0, 0
}

func (c *Map) keys() Column {
	if c.low != nil {
		return c.low
	}
	return c.plain
}

// Key begins a pair of the current row; its value must be appended to Values next.
func (c *Map) Key(k string) {
	if c.low == nil {
		c.plain.Append(k)
		return
	}
	c.low.appendGuess(k, c.prev+len(c.low.index)-c.start)
}

// Values takes the value of each pair.
func (c *Map) Values() *String { return c.values }

// End ends the row.
func (c *Map) End() {
	c.prev, c.start = c.start, c.values.rows
	c.prevValueStart, c.valueStart = c.valueStart, len(c.values.buf)
	if c.low == nil {
		c.prevKeyStart, c.keyStart = c.keyStart, len(c.plain.buf)
	}
	c.offsets = binary.LittleEndian.AppendUint64(c.offsets, uint64(c.start))
}

// RepeatLast appends the last row again. There must be one.
func (c *Map) RepeatLast() {
	from, to := c.prev, c.start
	if c.low != nil {
		c.low.index = append(c.low.index, c.low.index[from:to]...)
	} else {
		c.plain.buf = append(c.plain.buf, c.plain.buf[c.prevKeyStart:c.keyStart]...)
		c.plain.rows += to - from
	}
	c.values.buf = append(c.values.buf, c.values.buf[c.prevValueStart:c.valueStart]...)
	c.values.rows += to - from
	c.End()
}

func (c *Map) prefix(w *frameWriter) {
	c.keys().prefix(w)
	c.values.prefix(w)
}

func (c *Map) data(w *frameWriter) {
	w.write(c.offsets)
	c.keys().data(w)
	c.values.data(w)
}
