package chbatchexporter

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/internal/deadletter"
)

// deadLetters writes rows that ClickHouse rejects to files in its Native format, so that any client can insert them.
type deadLetters struct {
	dir string
	log *zap.Logger
}

// letter says what is in the file beside it.
type letter struct {
	Table string    `json:"table"`
	Shard string    `json:"shard,omitempty"`
	Rows  int       `json:"rows"`
	ID    string    `json:"id"`
	Time  time.Time `json:"time"`
	Cause string    `json:"cause"`
}

const (
	nativeExt = ".native"
	rawExt    = ".entry"
	letterExt = deadletter.About
)

// Rows implements blockqueue.DeadLetter.
func (d *deadLetters) Rows(table, shard, id string, block *nativeblock.Sealed, cause error) error {
	data, err := block.AppendNative(nil)
	if err != nil {
		return err
	}
	path, err := d.write(table+"-"+id, nativeExt, data, letter{Table: table, Shard: shard, Rows: block.Rows, ID: id, Cause: cause.Error()})
	if err != nil {
		return err
	}
	d.log.Error("ClickHouse rejects rows: they are in the dead-letter folder",
		zap.String("table", table), zap.Int("rows", block.Rows), zap.String("file", path), zap.Error(cause))
	return nil
}

// Raw implements blockqueue.DeadLetter.
func (d *deadLetters) Raw(id string, entry []byte, cause error) error {
	sum := sha256.Sum256(entry) // queues of other signals have the same ids
	path, err := d.write("queue-"+id+"-"+hex.EncodeToString(sum[:8]), rawExt, entry, letter{ID: id, Cause: cause.Error()})
	if err != nil {
		return err
	}
	d.log.Error("An entry of the queue cannot be read: it is in the dead-letter folder", zap.String("file", path), zap.Error(cause))
	return nil
}

func (d *deadLetters) write(name, ext string, data []byte, l letter) (path string, err error) {
	l.Time = time.Now().UTC()
	return deadletter.Write(d.dir, name, ext, data, l)
}
