package chbatchexporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// deadLetters writes rows that ClickHouse rejects to files in its Native format, so that any client can insert them.
type deadLetters struct {
	dir string
	log *zap.Logger
}

var errNoDirectory = errors.New("dead_letter.directory is not set")

// letter says what is in the file beside it.
type letter struct {
	Table string    `json:"table"`
	Rows  int       `json:"rows"`
	ID    string    `json:"id"`
	Time  time.Time `json:"time"`
	Cause string    `json:"cause"`
}

const (
	nativeExt = ".native"
	rawExt    = ".entry"
	letterExt = ".json"
)

// Rows implements blockqueue.DeadLetter.
func (d *deadLetters) Rows(table, id string, block *nativeblock.Sealed, cause error) error {
	data, err := block.AppendNative(nil)
	if err != nil {
		return err
	}
	path, err := d.write(table+"-"+id, nativeExt, data, letter{Table: table, Rows: block.Rows, ID: id, Cause: cause.Error()})
	if err != nil {
		return err
	}
	d.log.Error("ClickHouse rejects rows: they are in the dead-letter folder",
		zap.String("table", table), zap.Int("rows", block.Rows), zap.String("file", path), zap.Error(cause))
	return nil
}

// Raw implements blockqueue.DeadLetter.
func (d *deadLetters) Raw(id string, entry []byte, cause error) error {
	path, err := d.write("queue-"+id, rawExt, entry, letter{ID: id, Cause: cause.Error()})
	if err != nil {
		return err
	}
	d.log.Error("An entry of the queue cannot be read: it is in the dead-letter folder", zap.String("file", path), zap.Error(cause))
	return nil
}

func (d *deadLetters) write(name, ext string, data []byte, l letter) (path string, err error) {
	if d.dir == "" {
		return "", errNoDirectory
	}
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return "", fmt.Errorf("make the dead-letter folder: %w", err)
	}
	l.Time = time.Now().UTC()
	about, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(d.dir, name+ext)
	// The description first: a data file is complete when it is there.
	if err := writeFile(filepath.Join(d.dir, name+letterExt), append(about, '\n')); err != nil {
		return "", err
	}
	return path, writeFile(path, data)
}

// writeFile makes a file appear complete and on disk, or not at all.
func writeFile(path string, data []byte) error {
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		return os.Rename(temp, path)
	}
	return errors.Join(err, os.Remove(temp))
}
