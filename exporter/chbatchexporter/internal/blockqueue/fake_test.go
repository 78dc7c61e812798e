package blockqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbers is a builder of a table with one column of numbers.
type numbers struct {
	block nativeblock.Block
	n     *nativeblock.Fixed
}

func newNumbers(string) rows.Builder {
	b := &numbers{n: nativeblock.NewFixed(8)}
	b.block.Fields = []nativeblock.Field{{Name: "n", Type: "UInt64", Column: b.n}}
	return b
}

func (b *numbers) Block() *nativeblock.Block { return &b.block }

func (b *numbers) Reset() { b.block.Reset() }

func sealedNumbers(t testing.TB, ns []uint64) *nativeblock.Sealed {
	t.Helper()
	b, _ := newNumbers("").(*numbers)
	for _, n := range ns {
		b.n.Append64(n)
		b.block.Rows++
	}
	comp, err := nativeblock.NewCompressor(nativeblock.LZ4)
	require.NoError(t, err)
	sealed, err := b.block.Seal(comp)
	require.NoError(t, err)
	return sealed
}

func values(t testing.TB, b *nativeblock.Sealed) []uint64 {
	t.Helper()
	raw, err := b.AppendNative(nil)
	require.NoError(t, err)
	raw = raw[len(raw)-8*b.Rows:]
	out := make([]uint64, b.Rows)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return out
}

// has tells whether a request brings one of these numbers.
func has(t testing.TB, r Request, bad ...uint64) bool {
	t.Helper()
	for _, b := range r.Blocks {
		if slices.ContainsFunc(values(t, b), func(n uint64) bool { return slices.Contains(bad, n) }) {
			return true
		}
	}
	return false
}

// fakeClickHouse deduplicates by token as the real one does, and fails as it is told. What cannot be shown with the real
// one is a crash of the gateway at each single step.
type fakeClickHouse struct {
	t testing.TB

	mu     sync.Mutex
	tokens map[string][]uint64
	// hollow tokens were written down without their rows.
	hollow map[string]bool
	stored map[uint64]int
	sizes  []int // rows of inserts
	// answer decides about a request: nil stores it.
	answer func(r Request) *Outcome
	alive  bool
}

func newFake(t testing.TB) *fakeClickHouse {
	return &fakeClickHouse{t: t, tokens: map[string][]uint64{}, hollow: map[string]bool{}, stored: map[uint64]int{}, alive: true}
}

func (f *fakeClickHouse) Insert(ctx context.Context, r Request) Outcome {
	var ns []uint64
	for _, b := range r.Blocks {
		ns = append(ns, values(f.t, b)...)
	}
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		if o := answer(r); o != nil {
			if o.Unsure && o.Duplicate { // stored, and the answer is lost
				f.store(r, ns)
				o.Duplicate = false
			}
			if o.Unsure && o.Restored < 0 { // killed after it wrote the token down
				f.lose(r.Token, ns)
				o.Restored = 0
			}
			return *o
		}
	}
	if ctx.Err() != nil {
		return Outcome{Class: Retry, Err: ctx.Err()}
	}
	return Outcome{Class: Stored, Duplicate: f.store(r, ns)}
}

// store deduplicates; rows of a hollow token are found missing by those who look for them.
func (f *fakeClickHouse) store(r Request, ns []uint64) (duplicate bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.tokens[r.Token]; ok {
		if !slices.Equal(have, ns) {
			f.t.Errorf("token %s came with %v, then with %v", r.Token, have, ns)
		}
		if duplicate = true; !f.hollow[r.Token] || !r.Doubtful {
			return duplicate
		}
		delete(f.hollow, r.Token)
	}
	f.tokens[r.Token] = ns
	f.sizes = append(f.sizes, len(ns))
	for _, n := range ns {
		f.stored[n]++
	}
	return duplicate
}

func (f *fakeClickHouse) lose(token string, ns []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tokens[token] == nil {
		f.tokens[token], f.hollow[token] = ns, true
	}
}

func (f *fakeClickHouse) set(answer func(Request) *Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fakeClickHouse) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.stored)
}

// once checks that the numbers 0..n-1 are stored once each, and nothing else is.
func (f *fakeClickHouse) once(n int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	lost, doubled := 0, 0
	for i := range n {
		switch c := f.stored[uint64(i)]; {
		case c == 0:
			lost++
		case c > 1:
			doubled++
		}
	}
	if lost+doubled > 0 || len(f.stored) != n {
		f.t.Errorf("%d of %d lost, %d doubled, %d stored", lost, n, doubled, len(f.stored))
	}
}

// disk is a storage client in memory that can fail.
type disk struct {
	mu     sync.Mutex
	data   map[string][]byte
	fail   func(ops []*storage.Operation) error
	writes int
}

func newDisk() *disk { return &disk{data: map[string][]byte{}} }

func (d *disk) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := d.Batch(ctx, op)
	return op.Value, err
}

func (d *disk) Set(ctx context.Context, key string, value []byte) error {
	return d.Batch(ctx, storage.SetOperation(key, value))
}

func (d *disk) Delete(ctx context.Context, key string) error {
	return d.Batch(ctx, storage.DeleteOperation(key))
}

func (d *disk) Batch(_ context.Context, ops ...*storage.Operation) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		if err := d.fail(ops); err != nil {
			return err
		}
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = slices.Clone(d.data[op.Key])
		case storage.Set:
			d.data[op.Key] = slices.Clone(op.Value)
			d.writes++
		case storage.Delete:
			delete(d.data, op.Key)
		}
	}
	return nil
}

func (d *disk) Close(context.Context) error { return nil }

func (d *disk) copy() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &disk{data: maps.Clone(d.data)}
}

func (d *disk) entries() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for k := range d.data {
		if k != keyFirst && k != keyNext && k != keyAside {
			n++
		}
	}
	return n
}

// graves is a DeadLetter in memory.
type graves struct {
	t    testing.TB
	mu   sync.Mutex
	rows map[string][]uint64
	raw  int
	// full: there is no room for another.
	full bool
	// shards that rows were for.
	shards []string
}

func (g *graves) Rows(_, shard, id string, b *nativeblock.Sealed, _ error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows[id] = values(g.t, b)
	g.shards = append(g.shards, shard)
	return nil
}

func (g *graves) Raw(string, []byte, error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full {
		return errFake
	}
	g.raw++
	return nil
}

func (g *graves) all() []uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []uint64
	for _, ns := range g.rows {
		out = append(out, ns...)
	}
	slices.Sort(out)
	return out
}

type ignore struct{}

func (ignore) Inserted(string, int, int, time.Duration, Outcome) {}
func (ignore) Failed(string, Outcome)                            {}
func (ignore) DeadLettered(string, int)                          {}
func (ignore) Lost(string, int)                                  {}
func (ignore) Stored(string, []pcommon.Timestamp)                {}
func (ignore) Written(time.Duration)                             {}

// setup returns settings for a fake, with short times.
func setup(t testing.TB, f *fakeClickHouse) Settings {
	return Settings{
		Logger: zaptest.NewLogger(t), MaxRows: 100, MaxBytes: 1 << 20, MaxDays: 90, FlushInterval: 5 * time.Millisecond,
		QueueRows: 10_000, QueueBytes: 64 << 20, MemoryBytes: 1 << 20, Block: true, Workers: 2, Compression: nativeblock.LZ4,
		Retry: configretry.BackOffConfig{
			Enabled: true, InitialInterval: time.Millisecond, MaxInterval: 5 * time.Millisecond, Multiplier: 2,
		},
		DrainTimeout: 5 * time.Second, NewBuilder: newNumbers, Inserter: f, Observer: ignore{},
		DeadLetter: &graves{t: t, rows: map[string][]uint64{}},
		ShardName:  func(int) string { return "" }, ShardIndex: func(string) int { return 0 },
	}
}

func begin(t testing.TB, s Settings) *Queue {
	t.Helper()
	q, err := Start(context.Background(), s)
	require.NoError(t, err)
	return q
}

func end(t testing.TB, q *Queue) {
	t.Helper()
	require.NoError(t, q.Shutdown(context.Background()))
}

// bring brings the numbers from..to-1 in one call.
func bring(q *Queue, from, to int) error { return bringContext(context.Background(), q, from, to) }

func bringContext(ctx context.Context, q *Queue, from, to int) error {
	c, err := q.Begin(ctx, to-from)
	if err != nil {
		return err
	}
	l := c.Lane("t", 0, false)
	for i := from; i < to; i++ {
		b, _ := l.Builder().(*numbers)
		b.n.Append64(uint64(i))
		b.block.Rows++
		l.Added(0)
	}
	l.Unlock()
	return c.Finish(ctx)
}

var errFake = errors.New("fake")

func sometimes(p float64) bool { return rand.Float64() < p }

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }
