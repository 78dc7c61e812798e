package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// quietInterval is the time between two status lines where lines cannot be refreshed.
const quietInterval = 5 * time.Second

// screen prints lines, and below them, on a terminal, one status line that is refreshed.
type screen struct {
	out      io.Writer
	terminal bool

	mu     sync.Mutex
	status bool      // a status line stands at the cursor
	last   time.Time // of the last status line
}

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	return &screen{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"}
}

// say prints lines.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status {
		fmt.Fprintln(s.out)
		s.status = false
	}
	fmt.Fprintf(s.out, format+"\n", args...)
}

// show refreshes the status line; without a terminal it prints one every few seconds.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.terminal:
		fmt.Fprintf(s.out, "\r\x1b[K%s", line)
		s.status = true
	case time.Since(s.last) >= quietInterval:
		fmt.Fprintln(s.out, line)
		s.last = time.Now()
	}
}

// step reports what takes a while, and how long it took.
func (s *screen) step(name string, do func() error) error {
	s.say("… %s", name)
	began := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.say("✓ %s (%.1f s)", name, time.Since(began).Seconds())
	return nil
}
