// Package traffic makes access-log messages at very little CPU: a seeded set of realistic rows is encoded once, with
// holes of fixed width where time and request id go, and a message is a copy with the holes filled.
package traffic

import (
	"bytes"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
)

// rows is the number of distinct rows, a power of two.
const rows = 8192

// holeTime encodes as a varint of five bytes, as every time from 1978 to 3058 does when below 2^35.
const holeTime = 1 << 30

const timeBytes = 5

// Set is the rows that a fleet shares. It is read-only once made.
type Set struct {
	rows   []row
	layout string // of the time in the content
}

// row is field 6 of an AgentMessage with its tag and length. Positions are those of holes in it; msec is -1 where
// the format has no milliseconds.
type row struct {
	body                  []byte
	epochAt, textAt, msec int
	ids                   []int
	facts                 Facts
}

// Facts is what a test wants to add up over the rows that were sent.
type Facts struct {
	Status    int32
	BodyBytes int64
	SentBytes int64 // with headers
	Seconds   float32
}

// NewSet makes the rows; the same seed gives the same rows.
func NewSet(seed uint64, format nginxlog.Format) *Set {
	r := rand.New(rand.NewPCG(seed, 0x61766b61))
	s := &Set{rows: make([]row, rows), layout: isoLayout}
	if format == nginxlog.Combined {
		s.layout = commonLayout
	}
	for i := range s.rows {
		q := newRequest(r)
		s.rows[i] = encode(q.line(format), format)
		s.rows[i].facts.SentBytes = q.sentBytes
	}
	return s
}

// encode reads the line as a stock agent would, so that the parsed fields are what an agent would send.
func encode(line string, format nginxlog.Format) row {
	e := format.Access([]byte(line), time.Unix(holeTime, 0))
	e.Timestamp = holeTime
	entry := wireform.AppendLogEntry(nil, e)
	body := protowire.AppendTag(nil, wireform.FieldLogEntry, protowire.BytesType)
	body = protowire.AppendVarint(body, uint64(len(entry)))
	epochAt := len(body) + 1 // behind the tag of the entry's first field
	body = append(body, entry...)
	return row{
		body: body, epochAt: epochAt, textAt: bytes.Index(body, []byte("^^^^")), msec: bytes.Index(body, []byte(msecHole)),
		ids:   positions(body, idHole),
		facts: Facts{Status: e.Status, BodyBytes: e.BodyBytesSent, Seconds: e.RequestTime},
	}
}

func positions(in []byte, of string) (at []int) {
	for from := 0; ; {
		i := bytes.Index(in[from:], []byte(of))
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(of)
	}
}

// MeanSize is the average size of a row in bytes, without its agent's id and time.
func (s *Set) MeanSize() int {
	sum := 0
	for i := range s.rows {
		sum += len(s.rows[i].body)
	}
	return sum / len(s.rows)
}
