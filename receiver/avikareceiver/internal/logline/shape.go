package logline

// shape is what stands between the values of the last JSON line. The lines of a log format all have the same shape, so that the
// next line needs no search for its keys, only a comparison.
type shape struct {
	keys []shapeKey
	// draft is what a line is teaching.
	draft []shapeKey
	// matched is how many keys of the line were as expected; misses counts the lines of another shape.
	matched int
	misses  uint
}

// shapeKey is a key: what stands before its value, the value's opening quote included.
type shapeKey struct {
	literal string
	field   Field
	// plain says that the value is a string.
	plain bool
}

const (
	// maxShapeKeys and maxShapeBytes bound what a line can make the gateway remember.
	maxShapeKeys, maxShapeBytes = 64, 4 << 10
	// relearnAfter is how many lines must differ before another shape is learned, so that a mixture of formats does not
	// teach with each line.
	relearnAfter = 32
)

// parseShape reads a line as far as it has the known shape. It returns where it stopped, behind a value, and whether the line ended there.
func (a *Access) parseShape(line []byte) (end int, done bool) {
	i := 0
	for k := range a.shape.keys {
		a.shape.matched = k
		key := &a.shape.keys[k]
		start := i + len(key.literal)
		if start > len(line) || string(line[i:start]) != key.literal {
			return i, false
		}
		next := start
		if key.plain {
			if next = quoteOrEscape(line, start); next < len(line) && line[next] == '"' {
				a.set(key.field, place{uint32(start), uint32(next)})
				i = next + 1
				continue
			}
			start-- // there are escapes: read it again, from the quote on
		}
		if next = a.jsonValue(line, start, key.field); next < 0 {
			return i, false
		}
		i = next
	}
	a.shape.matched = len(a.shape.keys)
	return i, i > 0 && i < len(line) && line[i] == '}'
}

// learns reports whether the line at hand, which has another shape, should teach it.
func (s *shape) learns() bool {
	if s.misses++; s.misses%relearnAfter != 1 {
		return false
	}
	s.draft = append(s.draft[:0], s.keys[:s.matched]...)
	return true
}

func (s *shape) add(line []byte, separator, value int, field Field) {
	key := shapeKey{field: field}
	if value < len(line) && line[value] == '"' {
		key.plain = true
		value++
	}
	key.literal = string(line[separator:value])
	s.draft = append(s.draft, key)
}

// learned takes over what a complete line has taught. It always reports true.
func (s *shape) learned(learning bool) bool {
	size := 0
	for i := range s.draft {
		size += len(s.draft[i].literal)
	}
	if learning && len(s.draft) <= maxShapeKeys && size <= maxShapeBytes {
		s.keys, s.draft = s.draft, nil
	}
	return true
}
