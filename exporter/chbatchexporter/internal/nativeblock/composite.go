package nativeblock

// Array is a column of arrays. The values of a row are appended to Values, then the row is ended with End.
type Array[C Column] struct {
	Values  C
	offsets *Fixed
}

// NewArray makes an Array column over a column of its values.
func NewArray[C Column](values C) *Array[C] {
	return &Array[C]{Values: values, offsets: NewFixed(offsetWidth)}
}

const offsetWidth = 8

func (c *Array[C]) Rows() int { return c.offsets.Rows() }

func (c *Array[C]) Size() int { return c.offsets.Size() + c.Values.Size() }

func (c *Array[C]) Reset() {
	c.offsets.Reset()
	c.Values.Reset()
}

func (c *Array[C]) held() int { return c.offsets.held() + c.Values.held() }

func (c *Array[C]) press(p *Compressor) {
	c.offsets.press(p)
	c.Values.press(p)
}

// End makes one row of the values that were appended since the last End.
func (c *Array[C]) End() {
	c.offsets.Append64(uint64(c.Values.Rows()))
}

func (c *Array[C]) prefix(w *frameWriter) { c.Values.prefix(w) }

func (c *Array[C]) data(w *frameWriter) {
	c.offsets.data(w)
	c.Values.data(w)
}

// Map is a column Map(LowCardinality(String), String), or Map(String, String) when keys are not in a dictionary.
type Map struct {
	low     *LowCardinality // nil: keys are in plain
	plain   *String
	values  *String
	offsets *Fixed
	start   int // pairs before the current row
	prev    int // pairs before the row before it
	// Where the current row and the row before it begin in the buffers of the values and of plain keys.
	valueStart, prevValueStart int
	keyStart, prevKeyStart     int
}

// NewMap makes a Map(LowCardinality(String), String) column.
func NewMap() *Map {
	return &Map{low: NewLowCardinality(), values: NewString(), offsets: NewFixed(offsetWidth)}
}

// NewPlainMap makes a Map(String, String) column.
func NewPlainMap() *Map {
	return &Map{plain: NewString(), values: NewString(), offsets: NewFixed(offsetWidth)}
}

func (c *Map) Rows() int { return c.offsets.Rows() }

func (c *Map) Size() int { return c.offsets.Size() + c.keys().Size() + c.values.Size() }

func (c *Map) held() int { return c.offsets.held() + c.keys().held() + c.values.held() }

// press leaves the last row, which RepeatLast needs.
func (c *Map) press(p *Compressor) {
	c.offsets.press(p)
	n := c.values.buffer.press(p, c.prevValueStart)
	c.prevValueStart, c.valueStart = c.prevValueStart-n, c.valueStart-n
	if c.low == nil {
		n := c.plain.buffer.press(p, c.prevKeyStart)
		c.prevKeyStart, c.keyStart = c.prevKeyStart-n, c.keyStart-n
	}
}

func (c *Map) Reset() {
	c.offsets.Reset()
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
	c.offsets.Append64(uint64(c.start))
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
	c.offsets.data(w)
	c.keys().data(w)
	c.values.data(w)
}
