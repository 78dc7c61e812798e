package blockqueue

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// newID is 16 random bytes in hexadecimal.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// chunk is a sealed block that waits for its insert.
type chunk struct {
	id    string
	lane  *lane
	since time.Time // when its first row came
	rows  int
	size  int  // compressed
	days  int  // that its rows fall on
	old   bool // of an earlier run
	// onDays are these days since 1970, of a chunk of this run.
	onDays []int64
	// solo chunks are inserted alone, with their id as token. Others only as part of a group that is written down first.
	solo    bool
	seq     uint64              // its key in the storage
	block   *nativeblock.Sealed // nil: only in the storage
	calls   []*Call
	sampled []pcommon.Timestamp // times of some of its rows
	// replayed chunks are safe elsewhere until they are inserted.
	replayed bool
	// known ids may have been used before, by this process or another.
	known bool
	// unreadable chunks are in the dead letters, or kept in the storage when those cannot take them.
	unreadable, kept bool
}

// entryVersion of what is stored.
const entryVersion = 1

// encodeChunk writes a chunk for the storage. What it returns is valid as long as the chunk has its block.
func encodeChunk(c *chunk, shard string) []byte {
	b := make([]byte, 0, 2<<10)
	b = append(b, entryVersion, flag(c.solo))
	b = appendString(b, c.id)
	b = appendString(b, c.lane.table)
	b = appendString(b, shard)
	b = binary.AppendVarint(b, c.since.UnixNano())
	b = binary.AppendUvarint(b, uint64(c.days))
	return c.block.Stored(b)
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// entry is a chunk as it is stored.
type entry struct {
	id, table, shard string
	solo             bool
	since            time.Time
	days             int
	block            *nativeblock.Sealed
}

func decodeChunk(b []byte) (*entry, error) {
	d := decoder{b: b}
	if v := d.byte(); d.err == nil && v != entryVersion {
		return nil, fmt.Errorf("stored block: unknown version %d", v)
	}
	e := &entry{solo: d.byte() == 1, id: d.string(), table: d.string(), shard: d.string()}
	e.since, e.days = time.Unix(0, d.varint()), int(d.uvarint())
	if d.err != nil {
		return nil, fmt.Errorf("stored block: %w", d.err)
	}
	var err error
	if e.block, err = nativeblock.Parse(d.b); err != nil {
		return nil, fmt.Errorf("stored block: %w", err)
	}
	return e, nil
}

// ReadEntry reads an entry of the storage that another version could not read.
func ReadEntry(raw []byte) (table, shard, id string, block *nativeblock.Sealed, err error) {
	e, err := decodeChunk(raw)
	if err != nil {
		return "", "", "", nil, err
	}
	return e.table, e.shard, e.id, e.block, nil
}

// group is an insert of several chunks as it is stored.
type group struct {
	id, table, shard string
	chunks           []uint64
}

func (g *group) encode() []byte {
	b := appendString([]byte{entryVersion}, g.id)
	b = appendString(b, g.table)
	b = appendString(b, g.shard)
	b = binary.AppendUvarint(b, uint64(len(g.chunks)))
	for _, seq := range g.chunks {
		b = binary.AppendUvarint(b, seq)
	}
	return b
}

func decodeGroup(b []byte) (*group, error) {
	d := decoder{b: b}
	if v := d.byte(); d.err == nil && v != entryVersion {
		return nil, fmt.Errorf("stored group: unknown version %d", v)
	}
	g := &group{id: d.string(), table: d.string(), shard: d.string()}
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.err = io.ErrUnexpectedEOF
		n = 0
	}
	for range n {
		g.chunks = append(g.chunks, d.uvarint())
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("bytes after the end")
	}
	if d.err != nil {
		return nil, fmt.Errorf("stored group: %w", d.err)
	}
	return g, nil
}

// decoder takes values from b until an error, which it keeps.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = io.ErrUnexpectedEOF
	}
	d.b = nil
}
