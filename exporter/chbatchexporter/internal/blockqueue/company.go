package blockqueue

import "slices"

// groupable is how many chunks from the first one make a good insert, and whether there is no room in it for more.
func (l *lane) groupable() (n int, full bool) {
	rows, bytes := 0, 0
	var days daySet
	for _, c := range l.chunks {
		if n > 0 && (n == maxGroup || days.with(c) > l.q.set.MaxDays) {
			return n, true
		}
		if n > 0 && c.solo {
			return n, false
		}
		n++
		rows += c.rows
		bytes += c.size
		if days.add(c); rows >= l.maxRows() || bytes >= l.q.set.MaxBytes {
			return n, true
		}
	}
	return n, false
}

// daySet counts the different days of chunks. Those of an earlier run do not tell which they are, so they count as others.
type daySet struct {
	known   []int64
	unknown int
}

func (s *daySet) add(c *chunk) {
	s.unknown += c.days - len(c.onDays)
	for _, day := range c.onDays {
		if !slices.Contains(s.known, day) {
			s.known = append(s.known, day)
		}
	}
}

// with is how many there would be with another chunk, at most.
func (s *daySet) with(c *chunk) int {
	n := len(s.known) + s.unknown + c.days
	for _, day := range c.onDays {
		if slices.Contains(s.known, day) {
			n--
		}
	}
	return n
}

// maxGroup bounds the chunks of an insert.
const maxGroup = 1000
