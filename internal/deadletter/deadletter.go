// Package deadletter keeps what can be delivered nowhere as files, each with a description beside it.
package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Extensions of OTLP protobuf and of descriptions.
const (
	OTLP  = ".otlp"
	About = ".json"
)

// ErrNoDirectory is returned when no folder is configured.
var ErrNoDirectory = errors.New("dead_letter.directory is not set")

// Letter describes a file of telemetry.
type Letter struct {
	Signal string    `json:"signal"`
	Items  int       `json:"items,omitempty"`
	Bytes  int       `json:"bytes"`
	Time   time.Time `json:"time"`
	Cause  string    `json:"cause"`
}

// Keep writes bytes that were to be OTLP protobuf under a name made of them, so that the same bytes make one file. It returns when they
// are on disk.
func Keep(dir string, data []byte, about Letter) (path string, err error) {
	sum := sha256.Sum256(data)
	about.Time, about.Bytes = time.Now().UTC(), len(data)
	return Write(dir, about.Signal+"-"+hex.EncodeToString(sum[:8]), OTLP, data, about)
}

// Write makes the file name+ext with data, and name.json with the description, and makes the folder when it is missing. It returns when
// files and names are on disk.
func Write(dir, name, ext string, data []byte, about any) (path string, err error) {
	if dir == "" {
		return "", ErrNoDirectory
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("make the dead-letter folder: %w", err)
	}
	description, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, name+ext)
	// The description first: a data file is complete when it is there.
	if err := writeFile(filepath.Join(dir, name+About), append(description, '\n')); err != nil {
		return "", err
	}
	if err := writeFile(path, data); err != nil {
		return "", err
	}
	return path, syncFolder(dir)
}

// writeFile makes a file appear complete, or not at all. Its name is on disk when its folder is synced.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Chmod(f.Name(), 0o640)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// syncFolder makes the names in a folder survive a crash of the machine, as fsync(2) says of directories.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
