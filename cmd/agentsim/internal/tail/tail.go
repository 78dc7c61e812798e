// Package tail follows a growing file line by line through rotation, truncation and restarts.
package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Position is where a line ends. The inode tells a rotated file from its successor.
type Position struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
}

// Line is one line without its newline. Text is valid until the next line is asked for.
type Line struct {
	Text []byte
	End  Position
}

// Options of Follow.
type Options struct {
	Poll      time.Duration // 100 ms when 0
	Resume    *Position     // where an earlier run stopped
	FromStart bool          // without Resume, begin at the file's start rather than at its end
	MaxLine   int           // longer lines are cut into pieces; 1 MiB when 0
}

// Follow calls emit for each line until ctx ends or emit fails. The file may appear later. A line is complete when
// its newline is there, or when its file was rotated away. When ctx ends, what the file holds by then is emitted first.
func Follow(ctx context.Context, path string, o Options, emit func(Line) error) error {
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
	}
	if o.MaxLine == 0 {
		o.MaxLine = 1 << 20
	}
	t := &tailer{path: path, o: o, emit: emit}
	defer t.close()
	if err := t.begin(); err != nil {
		return err
	}
	ticker := time.NewTicker(o.Poll)
	defer ticker.Stop()
	for {
		if err := t.poll(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(t.poll(context.WithoutCancel(ctx)), ctx.Err())
		}
	}
}

type tailer struct {
	path string
	o    Options
	emit func(Line) error

	file  *os.File
	pos   Position // of the first byte in rest
	rest  []byte   // read, not yet emitted
	chunk []byte
}

// begin finds where to start: the remainder of a file rotated since the earlier run, its offset, or an end.
func (t *tailer) begin() error {
	if r := t.o.Resume; r != nil {
		for _, path := range []string{t.path, t.path + ".1", t.path + ".0"} {
			if ok, err := t.resume(path, *r); ok || err != nil {
				return err
			}
		}
		return t.open() // the earlier file is gone; all of this one is new
	}
	if err := t.open(); err != nil || t.file == nil || t.o.FromStart {
		return err
	}
	end, err := t.file.Seek(0, io.SeekEnd)
	t.pos.Offset = end
	return err
}

func (t *tailer) resume(path string, at Position) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || inode(info) != at.Inode || info.Size() < at.Offset {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("open log: %w", err)
	}
	_, err = f.Seek(at.Offset, io.SeekStart)
	t.file, t.pos = f, at
	return true, err
}

// open opens the path from its start; a file that is not there yet is no error.
func (t *tailer) open() error {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("stat log: %w", err), f.Close())
	}
	t.file, t.pos, t.rest = f, Position{Inode: inode(info)}, t.rest[:0]
	return nil
}

func (t *tailer) close() {
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

// poll reads what is there, and moves to the next file when this one was rotated away before it was read to its end.
func (t *tailer) poll(ctx context.Context) error {
	for ctx.Err() == nil {
		if t.file == nil {
			if err := t.open(); err != nil || t.file == nil {
				return err
			}
		}
		replaced, err := t.replaced()
		if err != nil {
			return err
		}
		if err := t.drain(ctx); err != nil {
			return err
		}
		if !replaced {
			return nil
		}
		if err := t.lastLine(); err != nil {
			return err
		}
		t.close()
	}
	return ctx.Err()
}

// replaced says whether the path names another file by now; a truncated file is read from its start.
func (t *tailer) replaced() (bool, error) {
	mine, err := t.file.Stat()
	if err != nil {
		return false, fmt.Errorf("stat log: %w", err)
	}
	if mine.Size() < t.pos.Offset+int64(len(t.rest)) {
		t.pos.Offset, t.rest = 0, t.rest[:0]
		if _, err := t.file.Seek(0, io.SeekStart); err != nil {
			return false, fmt.Errorf("rewind log: %w", err)
		}
	}
	current, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // renamed, and the next one not made yet: NGINX still writes here
	}
	if err != nil {
		return false, fmt.Errorf("stat log: %w", err)
	}
	return inode(current) != t.pos.Inode, nil
}

// drain emits all complete lines up to the end of the file.
func (t *tailer) drain(ctx context.Context) error {
	if t.chunk == nil {
		t.chunk = make([]byte, 64<<10)
	}
	for ctx.Err() == nil {
		n, err := t.file.Read(t.chunk)
		t.rest = append(t.rest, t.chunk[:n]...)
		if err := t.lines(); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
	}
	return ctx.Err()
}

func (t *tailer) lines() error {
	rest := t.rest
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 && len(rest) < t.o.MaxLine {
			t.rest = append(t.rest[:0], rest...)
			return nil
		}
		text, size := cut(rest, i, t.o.MaxLine)
		t.pos.Offset += int64(size)
		rest = rest[size:]
		if err := t.emitLine(text); err != nil {
			return err
		}
	}
}

// cut takes the line that ends at newline, or a piece when there is none within max.
func cut(b []byte, newline, limit int) (text []byte, size int) {
	if newline < 0 || newline > limit {
		return b[:limit], limit
	}
	return bytes.TrimSuffix(b[:newline], []byte{'\r'}), newline + 1
}

func (t *tailer) emitLine(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	return t.emit(Line{Text: text, End: t.pos})
}

// lastLine emits what a rotated file holds behind its last newline.
func (t *tailer) lastLine() error {
	t.pos.Offset += int64(len(t.rest))
	err := t.emitLine(t.rest)
	t.rest = t.rest[:0]
	return err
}
