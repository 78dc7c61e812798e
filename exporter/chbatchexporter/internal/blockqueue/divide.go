package blockqueue

import (
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// How many attempts there are to find the bad rows of one insert: some, and more for rows that they have stored. What is left then is
// dead-lettered as it is.
const (
	maxDivisions    = 100
	rowsPerDivision = 10
)

// partID names a part of an insert. It is a function of the whole's id, so that a retry uses the same tokens and files.
func partID(id string, part int) string { return id + "-" + strconv.Itoa(part) }

// division finds the bad rows of a rejected insert: it halves blocks until they stand alone, and dead-letters those. An insert keeps its
// division until it is over. What was rejected is not sent again as a whole: if it is no longer bad its parts may be there already.
type division struct {
	q    *Queue
	lane *lane
	// parts that are neither stored nor buried, the next one last. They are in memory whatever became of their chunks.
	parts []part
	// left attempts; stored rows add to them.
	left, stored int
	// cause is the last rejection, outcome what became of rejected rows.
	cause, outcome error
}

type part struct {
	id    string
	block *nativeblock.Sealed
}

// newDivision of an insert whose blocks were rejected with cause.
func (q *Queue) newDivision(ins *insert, blocks []*nativeblock.Sealed, cause error) *division {
	d := &division{q: q, lane: ins.lane, left: maxDivisions, cause: cause}
	if len(blocks) == 1 {
		d.halve(part{ins.id, blocks[0]})
		return d
	}
	for i, b := range slices.Backward(blocks) {
		d.parts = append(d.parts, part{partID(ins.id, i), b})
	}
	return d
}

// attempt inserts what can be inserted. Unless something else fails, all rows are stored or buried then.
func (d *division) attempt(n int, doubtful bool) Outcome {
	for len(d.parts) > 0 {
		last := len(d.parts) - 1
		p := d.parts[last]
		if d.left--; d.left < 0 {
			d.parts = d.parts[:last]
			d.bury(p, d.cause)
			continue
		}
		o := d.q.insert(d.lane, Request{Token: p.id, Blocks: []*nativeblock.Sealed{p.block}, Attempt: n, Doubtful: doubtful})
		if o.Class != Stored && o.Class != Permanent {
			return o
		}
		d.parts = d.parts[:last]
		if o.Class == Permanent {
			d.cause = o.Err
			d.halve(p)
			continue
		}
		d.earn(p.block.Rows)
	}
	return Outcome{Class: Stored, Err: d.outcome}
}

// earn attempts for rows that were stored.
func (d *division) earn(rows int) {
	before := d.stored / rowsPerDivision
	d.stored += rows
	d.left += d.stored/rowsPerDivision - before
}

// halve puts the halves of a part in its place, or buries it.
func (d *division) halve(p part) {
	if p.block.Rows == 1 {
		d.bury(p, d.cause)
		return
	}
	halves, err := d.split(p.block)
	if err != nil {
		d.q.set.Logger.Error("A rejected block cannot be divided", zap.String("table", d.lane.table), zap.Error(err))
		d.bury(p, d.cause)
		return
	}
	d.parts = append(d.parts, part{partID(p.id, 1), halves[1]}, part{partID(p.id, 0), halves[0]})
}

func (d *division) bury(p part, cause error) {
	d.outcome = worse(d.outcome, d.q.bury(d.lane, p.id, p.block, cause))
}

// buryRest gives up what is neither stored nor buried.
func (d *division) buryRest(cause error) error {
	for _, p := range d.parts {
		d.bury(p, cause)
	}
	d.parts = nil
	return d.outcome
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
