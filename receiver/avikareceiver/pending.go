package avikareceiver

import (
	"sync"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
)

// pending is a batch that is being filled. Log entries stay encoded until they are delivered: that takes a
// third of the memory, and the garbage collector has nothing to look at in them.
type pending struct {
	entries  []translate.Entry
	segments []translate.Segment
	samples  []translate.Sample
	// room is where encoded entries go; expected is the size of the batch before.
	room     translate.Room
	expected int
	// bytes is the size as received, reserved what is taken of the receiver's budget.
	bytes    int
	reserved int64
}

func (p *pending) records() int { return len(p.entries) + len(p.samples) }

// entryLists keeps lists of entries for reuse.
var entryLists = sync.Pool{New: func() any { return new([]translate.Entry) }}

func (p *pending) add(resource *translate.Resource, entry translate.Entry) {
	if p.entries == nil {
		p.entries = *entryLists.Get().(*[]translate.Entry)
	}
	if n := len(p.segments); n == 0 || p.segments[n-1].Resource != resource {
		p.segments = append(p.segments, translate.Segment{Resource: resource, From: len(p.entries)})
	}
	p.entries = append(p.entries, entry)
}

// keep copies an entry into memory that is the batch's until its entries have been translated. A batch that is as small as the one before
// gets no more than it needs.
func (p *pending) keep(encoded []byte) []byte {
	return p.room.Keep(encoded, max(p.bytes, p.expected))
}

// sampleLists keeps lists of samples for reuse.
var sampleLists = sync.Pool{New: func() any { return new([]translate.Sample) }}

// releaseSamples gives the list of samples back.
func (p *pending) releaseSamples() {
	if p.samples != nil {
		translate.Forget(p.samples)
		list := p.samples[:0]
		sampleLists.Put(&list)
		p.samples = nil
	}
}

// release gives the entries and their list back, when nobody needs them any more.
func (p *pending) release() {
	p.room.Release()
	if p.entries != nil {
		clear(p.entries)
		list := p.entries[:0]
		entryLists.Put(&list)
		p.entries = nil
	}
}
