package blockqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// store keeps chunks and groups in a storage client under increasing numbers. Only the queue's run goroutine uses it
// after recovery, but for get.
type store struct {
	client storage.Client
	// written is told how long each write took.
	written     func(time.Duration)
	first, next uint64
	gone        map[uint64]bool // numbers after first that are free again
	// deletes that are not done yet; they go along with the next commit.
	deletes []uint64
	// aside are numbers outside the range, for all it is, whose entries could neither be read nor put into the dead letters: the next
	// run tries again. Numbers of entries that are gone since are harmless.
	aside    []uint64
	newAside bool
}

// newStore begins with number 1: 0 is no number.
func newStore(c storage.Client, written func(time.Duration)) *store {
	return &store{client: c, written: written, gone: map[uint64]bool{}, first: 1, next: 1}
}

// Keys: the range of numbers that may be in use, and what is under a number.
const (
	keyFirst = "first"
	keyNext  = "next"
	keyAside = "aside"
)

func chunkKey(seq uint64) string { return "b" + strconv.FormatUint(seq, 10) }
func groupKey(seq uint64) string { return "g" + strconv.FormatUint(seq, 10) }

// spacers are two keys without a value right behind that of a chunk. bbolt, which is behind file_storage, keeps up to four neighbouring keys
// together in a leaf, whatever their size, and writes a leaf anew when one of them changes: without spacers a write takes the chunks
// before it along, 3.3 times as many bytes.
func spacers(seq uint64) [2]string { return [...]string{chunkKey(seq) + "+1", chunkKey(seq) + "+2"} }

// chunkOps stores an encoded chunk.
func chunkOps(seq uint64, encoded []byte) []*storage.Operation {
	ops := []*storage.Operation{storage.SetOperation(chunkKey(seq), encoded)}
	for _, key := range spacers(seq) {
		ops = append(ops, storage.SetOperation(key, nil))
	}
	return ops
}

func (s *store) number() uint64 {
	s.next++
	return s.next - 1
}

// write makes the values durable, and the deletes that wait. When there is no room for the values the deletes are
// tried alone, because they make room.
func (s *store) write(ctx context.Context, values []*storage.Operation) error {
	ops := append(s.deleteOps(), values...)
	if len(values) > 0 {
		ops = append(ops, storage.SetOperation(keyNext, binary.LittleEndian.AppendUint64(nil, s.next)))
	}
	if s.newAside {
		ops = append(ops, s.asideOp())
	}
	if len(ops) == 0 {
		return nil
	}
	err := s.sync(ctx, ops)
	if err != nil && len(values) > 0 && len(s.deletes) > 0 {
		if err2 := s.sync(ctx, s.deleteOps()); err2 == nil {
			s.deletes = s.deletes[:0]
		}
		return err
	}
	if err == nil {
		s.deletes, s.newAside = s.deletes[:0], false
	}
	return err
}

func (s *store) sync(ctx context.Context, ops []*storage.Operation) error {
	start := time.Now()
	err := s.client.Batch(ctx, ops...)
	s.written(time.Since(start))
	return err
}

func (s *store) deleteOps() []*storage.Operation {
	if len(s.deletes) == 0 {
		return nil
	}
	ops := make([]*storage.Operation, 0, 4*len(s.deletes)+3)
	if s.newAside {
		ops = append(ops, s.asideOp())
	}
	for _, seq := range s.deletes {
		ops = append(ops, storage.DeleteOperation(chunkKey(seq)), storage.DeleteOperation(groupKey(seq)))
		for _, key := range spacers(seq) {
			ops = append(ops, storage.DeleteOperation(key))
		}
		s.gone[seq] = true
	}
	for s.gone[s.first] {
		delete(s.gone, s.first)
		s.first++
	}
	return append(ops, storage.SetOperation(keyFirst, binary.LittleEndian.AppendUint64(nil, s.first)))
}

// keep puts a number aside.
func (s *store) keep(seq uint64) {
	s.gone[seq] = true
	if !slices.Contains(s.aside, seq) {
		s.aside, s.newAside = append(s.aside, seq), true
	}
}

func (s *store) asideOp() *storage.Operation {
	var b []byte
	for _, seq := range s.aside {
		b = binary.LittleEndian.AppendUint64(b, seq)
	}
	return storage.SetOperation(keyAside, b)
}

// get reads a chunk.
func (s *store) get(ctx context.Context, seq uint64) ([]byte, error) {
	b, err := s.client.Get(ctx, chunkKey(seq))
	if err == nil && b == nil {
		err = errNotStored
	}
	return b, err
}

var errNotStored = errors.New("the block is not in the storage")

// readRange reads which numbers may be in use.
func (s *store) readRange(ctx context.Context) error {
	first, next, aside := storage.GetOperation(keyFirst), storage.GetOperation(keyNext), storage.GetOperation(keyAside)
	if err := s.client.Batch(ctx, first, next, aside); err != nil {
		return err
	}
	for b := aside.Value; len(b) >= 8; b = b[8:] {
		s.aside = append(s.aside, binary.LittleEndian.Uint64(b))
	}
	for _, v := range []struct {
		op *storage.Operation
		to *uint64
	}{{first, &s.first}, {next, &s.next}} {
		switch len(v.op.Value) {
		case 0:
		case 8:
			*v.to = binary.LittleEndian.Uint64(v.op.Value)
		default:
			return fmt.Errorf("%s is not a number", v.op.Key)
		}
	}
	if s.first > s.next {
		return fmt.Errorf("first %d is behind next %d", s.first, s.next)
	}
	return nil
}

// scan calls fn for all numbers in use with what is under them.
func (s *store) scan(ctx context.Context, fn func(seq uint64, chunk, group []byte)) error {
	const page = 32
	aside := slices.Clone(s.aside)
	if err := s.read(ctx, aside, fn); err != nil {
		return err
	}
	for from := s.first; from < s.next; from += page {
		var seqs []uint64
		for seq := from; seq < min(from+page, s.next); seq++ {
			if !slices.Contains(aside, seq) {
				seqs = append(seqs, seq)
			}
		}
		if err := s.read(ctx, seqs, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) read(ctx context.Context, seqs []uint64, fn func(seq uint64, chunk, group []byte)) error {
	if len(seqs) == 0 {
		return nil
	}
	ops := make([]*storage.Operation, 0, 2*len(seqs))
	for _, seq := range seqs {
		ops = append(ops, storage.GetOperation(chunkKey(seq)), storage.GetOperation(groupKey(seq)))
	}
	if err := s.client.Batch(ctx, ops...); err != nil {
		return err
	}
	for i, seq := range seqs {
		chunk, group := ops[2*i].Value, ops[2*i+1].Value
		if chunk == nil && group == nil {
			s.gone[seq] = true
			continue
		}
		fn(seq, chunk, group)
	}
	return nil
}

func (s *store) close(ctx context.Context) error { return s.client.Close(ctx) }
