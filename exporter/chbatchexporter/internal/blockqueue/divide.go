package blockqueue

import (
	"strconv"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// maxDivisions bounds the attempts to find bad rows in one insert. What is left then is dead-lettered as it is.
const maxDivisions = 100

// partID names a part of an insert. It is a function of the whole's id, so that a retry uses the same tokens and files.
func partID(id string, part int) string { return id + "-" + strconv.Itoa(part) }

// divide inserts what can be inserted of a rejected insert: it halves blocks until the bad rows stand alone, and
// dead-letters those.
func (q *Queue) divide(ins *insert, blocks []*nativeblock.Sealed, o Outcome) Outcome {
	d := division{q: q, lane: ins.lane, attempt: ins.attempts, doubtful: ins.doubtful(), left: maxDivisions, cause: o.Err}
	if len(blocks) == 1 {
		if o := d.halve(ins.id, blocks[0], o); o.Class != Stored {
			return o
		}
		return Outcome{Class: Stored, Err: d.outcome}
	}
	for i, b := range blocks {
		if o := d.insert(partID(ins.id, i), b); o.Class != Stored {
			return o
		}
	}
	return Outcome{Class: Stored, Err: d.outcome}
}

type division struct {
	q    *Queue
	lane *lane
	// attempt of the insert, which is that of its parts: what is bad in it after so many is bad in them.
	attempt int
	// doubtful: the parts may have been tried before.
	doubtful bool
	left     int
	// cause is the last rejection, outcome what became of rejected rows.
	cause, outcome error
}

func (d *division) insert(id string, b *nativeblock.Sealed) Outcome {
	if d.left--; d.left < 0 {
		d.bury(id, b)
		return Outcome{Class: Stored}
	}
	o := d.q.insert(d.lane, Request{Token: id, Blocks: []*nativeblock.Sealed{b}, Attempt: d.attempt, Doubtful: d.doubtful})
	if o.Class != Permanent {
		return o
	}
	return d.halve(id, b, o)
}

// halve deals with a block that was rejected with o. Unless something else fails, all its rows are stored or buried.
func (d *division) halve(id string, b *nativeblock.Sealed, o Outcome) Outcome {
	d.cause = o.Err
	if b.Rows == 1 {
		d.bury(id, b)
		return Outcome{Class: Stored}
	}
	halves, err := d.split(b)
	if err != nil {
		d.q.set.Logger.Error("A rejected block cannot be divided", zap.String("table", d.lane.table), zap.Error(err))
		d.bury(id, b)
		return Outcome{Class: Stored}
	}
	for i, half := range halves {
		if o := d.insert(partID(id, i), half); o.Class != Stored {
			return o
		}
	}
	return Outcome{Class: Stored}
}

func (d *division) bury(id string, b *nativeblock.Sealed) {
	d.outcome = worse(d.outcome, d.q.bury(d.lane.table, id, b, d.cause))
}

func (d *division) split(b *nativeblock.Sealed) ([2]*nativeblock.Sealed, error) {
	c, _ := d.q.compressors.Get().(*nativeblock.Compressor)
	defer d.q.compressors.Put(c)
	first, err := b.Slice(0, b.Rows/2, c)
	if err != nil {
		return [2]*nativeblock.Sealed{}, err
	}
	second, err := b.Slice(b.Rows/2, b.Rows, c)
	return [2]*nativeblock.Sealed{first, second}, err
}
