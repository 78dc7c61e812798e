package nativeblock

import (
	"encoding/binary"
	"math"
	"strings"
)

// LowCardinality is a column LowCardinality(String): a dictionary and an index into it for each row.
type LowCardinality struct {
	dict  map[string]uint32
	words []string // by index, so that a guess can be checked without hashing
	keys  []byte   // the dictionary as it is written
	index []uint32
	// near are indexes of words by nearSlot, right or not: a comparison tells. They spare the hash of all but rare values.
	near [16]uint32
}

// NewLowCardinality makes a LowCardinality(String) column.
func NewLowCardinality() *LowCardinality { return &LowCardinality{dict: map[string]uint32{}} }

func (c *LowCardinality) Rows() int { return len(c.index) }

func (c *LowCardinality) Size() int { return len(c.keys) + 2*len(c.index) }

func (c *LowCardinality) held() int { return 2*len(c.keys) + 4*len(c.index) }

// press does nothing: how wide the index is depends on the whole dictionary, and it is small.
func (c *LowCardinality) press(*Compressor) {}

func (c *LowCardinality) Reset() {
	clear(c.dict)
	clear(c.words)
	c.words, c.keys, c.index = c.words[:0], c.keys[:0], c.index[:0]
}

// Append copies v when it is new to the dictionary. Values that come often cost a comparison.
func (c *LowCardinality) Append(v string) {
	near := &c.near[nearSlot(v)]
	if int(*near) >= len(c.words) || c.words[*near] != v {
		*near = c.lookup(v)
	}
	c.index = append(c.index, *near)
}

// nearSlot separates the values that stand together in a column of NGINX's: methods, statuses, hosts that end alike.
func nearSlot(v string) int {
	if v == "" {
		return 0
	}
	return (5*len(v) + int(v[0]) + 3*int(v[len(v)-1])) & 15
}

// appendGuess tries the value of an earlier row first: attributes come in the same order in row after row.
func (c *LowCardinality) appendGuess(v string, row int) {
	if row < len(c.index) {
		if guess := c.index[row]; c.words[guess] == v {
			c.index = append(c.index, guess)
			return
		}
	}
	c.index = append(c.index, c.lookup(v))
}

func (c *LowCardinality) lookup(v string) uint32 {
	if i, ok := c.dict[v]; ok {
		return i
	}
	v = strings.Clone(v) // the sender may reuse the memory behind it
	i := uint32(len(c.words))
	c.dict[v] = i
	c.words = append(c.words, v)
	c.keys = append(appendLen(c.keys, len(v)), v...)
	return i
}

// The format: see SerializationLowCardinality in ClickHouse.
const (
	lowCardinalityVersion = 1
	// The block brings its whole dictionary: additional keys, and an update of the dictionary.
	lowCardinalityFlags = 1<<9 | 1<<10
)

func (c *LowCardinality) prefix(w *frameWriter) { w.uint64(lowCardinalityVersion) }

func (c *LowCardinality) data(w *frameWriter) {
	if len(c.index) == 0 {
		return
	}
	width := indexWidth(len(c.words))
	w.uint64(lowCardinalityFlags | uint64(width))
	w.uint64(uint64(len(c.words)))
	w.write(c.keys)
	w.uint64(uint64(len(c.index)))
	const piece = 4096
	for index := c.index; len(index) > 0; {
		n := min(len(index), piece)
		w.buf = appendIndex(w.buf[:0], index[:n], width)
		w.write(w.buf)
		index = index[n:]
	}
}

// indexWidth is 0, 1 or 2 for an index of 1, 2 or 4 bytes.
func indexWidth(words int) int {
	switch {
	case words <= math.MaxUint8+1:
		return 0
	case words <= math.MaxUint16+1:
		return 1
	}
	return 2
}

func appendIndex(b []byte, index []uint32, width int) []byte {
	switch width {
	case 0:
		for _, i := range index {
			b = append(b, byte(i))
		}
	case 1:
		for _, i := range index {
			b = binary.LittleEndian.AppendUint16(b, uint16(i))
		}
	default:
		for _, i := range index {
			b = binary.LittleEndian.AppendUint32(b, i)
		}
	}
	return b
}
