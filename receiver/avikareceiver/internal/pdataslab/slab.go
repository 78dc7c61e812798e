// Package pdataslab builds log records, spans and metrics of pdata in a few large allocations per batch instead of
// one or two per attribute.
//
// pdata's public functions allocate a wrapper for each value. Here the same structures are laid out in slabs and handed
// to pdata as they are. That depends on how pdata's internals lie in memory, so the layout is compared with pdata's
// own types when the program starts; where it differs, and where pdata's pooling is switched on, which takes objects
// apart, [Logs], [Spans] and [Metrics] go through the public functions. The result is the same, only slower.
//
// What is built is shared between records and batches (constant values, resources, arrays). It must be
// marked read-only before it leaves the receiver. It is left to the garbage collector, unless the owner of a slab knows that
// all consumers have let go of it; see [HeldAlone].
package pdataslab

//lint:file-ignore U1000 structures have pdata's fields, in their order, whether they are set or not

import "unsafe"

// Value is the content of a pcommon.Value: an interface that holds a pointer to one of pdata's wrappers. The zero Value
// is an empty one.
type Value struct {
	typ  unsafe.Pointer
	data unsafe.Pointer
}

// KeyValue is an attribute.
type KeyValue struct {
	Value    Value
	Key      string
	strindex int32
}

// LogRecord is a plog.LogRecord under construction. Times are in Unix nanoseconds.
type LogRecord struct {
	Body         Value
	SeverityText string
	EventName    string
	Attributes   []KeyValue
	Time         uint64
	ObservedTime uint64
	Severity     int32
	dropped      uint32
	Flags        uint32
	TraceID      [16]byte
	SpanID       [8]byte
}

// Span is a ptrace.Span under construction. Times are in Unix nanoseconds.
type Span struct {
	traceState    string
	Name          string
	Attributes    []KeyValue
	events        []unsafe.Pointer
	links         []unsafe.Pointer
	Status        Status
	Start         uint64
	End           uint64
	Flags         uint32
	Kind          int32
	dropped       uint32
	droppedEvents uint32
	droppedLinks  uint32
	TraceID       [16]byte
	SpanID        [8]byte
	ParentID      [8]byte
}

// Status is the status of a span.
type Status struct {
	Message string
	Code    int32
}

type array struct {
	values []Value
}

// Slab hands out parts of arrays, which are shared by neighbouring records and batches. It never hands out the same part
// twice, unless it is told that nobody has it any more.
type Slab struct {
	text    text
	strings chunk[string]
	ints    chunk[int64]
	floats  chunk[float64]
	values  chunk[Value]
	arrays  chunk[array]
	refs    chunk[*array]
	pairs   chunk[KeyValue]
	records chunk[LogRecord]
	spans   chunk[Span]
	metricSlab

	// open is the room of the open set, of which count are used.
	open  []KeyValue
	count int
}

// Keep makes the slab remember what it hands out until Recycle or Forget.
func (s *Slab) Keep() { s.each(chunkKeep) }

// Recycle hands out again what was handed out since Keep, or since the last Recycle or Forget. Nobody may have it any more.
func (s *Slab) Recycle() { s.each(chunkRecycle) }

// Forget leaves what was handed out to the garbage collector.
func (s *Slab) Forget() { s.each(chunkForget) }

type chunkAction int

const (
	chunkKeep chunkAction = iota
	chunkRecycle
	chunkForget
)

func (s *Slab) each(action chunkAction) {
	s.strings.do(action)
	s.ints.do(action)
	s.floats.do(action)
	s.values.do(action)
	s.arrays.do(action)
	s.refs.do(action)
	s.pairs.do(action)
	s.records.do(action)
	s.spans.do(action)
	s.metricSlab.each(action)
}

// Fit makes room for exactly one set of n attributes of text, for what is kept on its own and for long: a whole chunk
// would be held with it.
func (s *Slab) Fit(n int) {
	s.pairs.buffer, s.strings.buffer = make([]KeyValue, n), make([]string, n)
}

// Copy returns a copy of b.
func (s *Slab) Copy(b []byte) string { return s.text.copy(b) }

// String makes a value of text.
func (s *Slab) String(text string) Value {
	p := s.strings.one()
	*p = text
	return Value{types.text, unsafe.Pointer(p)}
}

// Int makes a value of an integer.
func (s *Slab) Int(n int64) Value {
	p := s.ints.one()
	*p = n
	return Value{types.integer, unsafe.Pointer(p)}
}

// Float makes a value of a floating point number.
func (s *Slab) Float(f float64) Value {
	p := s.floats.one()
	*p = f
	return Value{types.double, unsafe.Pointer(p)}
}

// Array makes a value with room for n values, which are to be filled in.
func (s *Slab) Array(n int) (Value, []Value) {
	elements := s.values.take(n)
	a := s.arrays.one()
	a.values = elements
	p := s.refs.one()
	*p = a
	return Value{types.array, unsafe.Pointer(p)}, elements
}

// Open begins a set of at most n attributes.
func (s *Slab) Open(n int) {
	s.open, s.count = s.pairs.reserve(n), 0
}

// Put adds an attribute to the open set. Keys are not compared; each must be put once.
func (s *Slab) Put(key string, value Value) {
	pair := &s.open[s.count]
	pair.Key, pair.Value = key, value
	s.count++
}

// PutString adds text that is not empty.
func (s *Slab) PutString(key, text string) {
	if text != "" {
		s.Put(key, s.String(text))
	}
}

// Close ends the open set and returns it.
func (s *Slab) Close() []KeyValue {
	set := s.open[:s.count:s.count]
	s.pairs.used += s.count
	return set
}

// Record returns an empty log record.
func (s *Slab) Record() *LogRecord {
	record := s.records.one()
	if s.records.keep {
		*record = LogRecord{}
	}
	return record
}

// Span returns an empty span.
func (s *Slab) Span() *Span {
	span := s.spans.one()
	if s.spans.keep {
		*span = Span{}
	}
	return span
}

// chunk hands out pieces of arrays of a fixed size.
type chunk[T any] struct {
	buffer []T
	used   int

	// With keep, full are the arrays that were handed out whole, and spare those that can be handed out again.
	keep        bool
	full, spare [][]T
}

// maxSpare bounds what a chunk keeps for another time, so that one large batch is not kept forever.
const maxSpare = 256

func (c *chunk[T]) do(action chunkAction) {
	switch action {
	case chunkKeep:
		*c = chunk[T]{keep: true}
	case chunkRecycle:
		c.spare = append(c.spare, c.full[:min(len(c.full), max(maxSpare-len(c.spare), 0))]...)
		clear(c.full)
		c.full, c.used = c.full[:0], 0
	case chunkForget:
		clear(c.full)
		c.full, c.buffer, c.used = c.full[:0], nil, 0
	}
}

// chunkBytes is small enough for the allocator's size classes, which makes it cheaper than larger pieces, and leaves
// room for the allocator's own word.
const chunkBytes = 16<<10 - 8

func (c *chunk[T]) one() *T {
	if c.used == len(c.buffer) {
		c.grow(1)
	}
	c.used++
	return &c.buffer[c.used-1]
}

func (c *chunk[T]) take(n int) []T {
	piece := c.reserve(n)
	c.used += n
	return piece
}

// reserve returns room for n without handing it out.
func (c *chunk[T]) reserve(n int) []T {
	if len(c.buffer)-c.used < n {
		c.grow(n)
	}
	return c.buffer[c.used : c.used+n : c.used+n]
}

func (c *chunk[T]) grow(n int) {
	if c.keep && c.buffer != nil {
		c.full = append(c.full, c.buffer)
	}
	c.used = 0
	if last := len(c.spare) - 1; last >= 0 && len(c.spare[last]) >= n {
		c.buffer, c.spare[last], c.spare = c.spare[last], nil, c.spare[:last]
		return
	}
	var element T
	c.buffer = make([]T, max(chunkBytes/int(unsafe.Sizeof(element)), n))
}
