package traffic

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
)

// Writer makes the messages of one agent. It is for one goroutine.
//
// The request id of a row is 32 hex digits: the run (8), the agent's number (8), the row's sequence number (16).
type Writer struct {
	set    *Set
	prefix []byte // agent id and time
	id     [16]byte
	offset uint64
	stamp  stamp
}

// NewWriter makes messages of agent number n.
func NewWriter(set *Set, run, n uint32, agentID string) *Writer {
	w := &Writer{set: set, offset: uint64(n) * 2654435761}
	w.prefix = protowire.AppendTag(nil, wireform.FieldAgentID, protowire.BytesType)
	w.prefix = protowire.AppendString(w.prefix, agentID)
	w.prefix = protowire.AppendTag(w.prefix, wireform.FieldTimestamp, protowire.VarintType)
	w.prefix = protowire.AppendVarint(w.prefix, holeTime)
	var raw [8]byte
	binary.BigEndian.PutUint32(raw[:4], run)
	binary.BigEndian.PutUint32(raw[4:], n)
	hex.Encode(w.id[:], raw[:])
	return w
}

func (w *Writer) row(seq uint64) *row { return &w.set.rows[(w.offset+seq)&(rows-1)] }

// Size is the size of message seq in bytes.
func (w *Writer) Size(seq uint64) int { return len(w.prefix) + len(w.row(seq).body) }

// Write fills dst, which has Size(seq) bytes, with the message of row seq at the given time, and says what is in it.
func (w *Writer) Write(dst []byte, seq uint64, unixMilli int64) Facts {
	r := w.row(seq)
	w.stamp.set(unixMilli, w.set.layout)
	body := dst[copy(dst, w.prefix):]
	copy(dst[len(w.prefix)-timeBytes:], w.stamp.varint[:])
	copy(body, r.body)
	copy(body[r.epochAt:], w.stamp.varint[:])
	copy(body[r.textAt:], w.stamp.text)
	if r.msec >= 0 {
		copy(body[r.msec:], w.stamp.decimal[:])
	}
	var number [16]byte
	putHex(&number, seq)
	for _, at := range r.ids {
		copy(body[at:], w.id[:])
		copy(body[at+len(w.id):], number[:])
	}
	return r.facts
}

func putHex(dst *[16]byte, v uint64) {
	const digits = "0123456789abcdef"
	for i := 15; i >= 0; i-- {
		dst[i] = digits[v&15]
		v >>= 4
	}
}

// stamp is a time in every form a message holds, made anew once a second.
type stamp struct {
	second  int64
	varint  [timeBytes]byte
	text    []byte
	decimal [len("1771234567.123")]byte
}

func (s *stamp) set(unixMilli int64, layout string) {
	second := unixMilli / 1000
	if second != s.second || s.text == nil {
		s.second = second
		protowire.AppendVarint(s.varint[:0], uint64(second))
		t := time.Unix(second, 0).UTC()
		s.text = t.AppendFormat(s.text[:0], layout)
		for i, v := 9, second; i >= 0; i-- {
			s.decimal[i] = byte('0' + v%10)
			v /= 10
		}
		s.decimal[10] = '.'
	}
	ms := unixMilli - second*1000
	s.decimal[11], s.decimal[12], s.decimal[13] = byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10)
}
