package tail

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follower collects lines in the background.
type follower struct {
	t      *testing.T
	path   string
	cancel context.CancelFunc
	done   chan error
	once   sync.Once

	mu    sync.Mutex
	lines []string
	last  Position
}

func start(t *testing.T, path string, o Options) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{t: t, path: path, cancel: cancel, done: make(chan error, 1)}
	o.Poll = 5 * time.Millisecond
	go func() {
		f.done <- Follow(ctx, path, o, func(l Line) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.lines, f.last = append(f.lines, string(l.Text)), l.End
			return nil
		})
	}()
	t.Cleanup(f.stop)
	return f
}

// stop ends the follower once and waits for it.
func (f *follower) stop() {
	f.once.Do(func() {
		f.cancel()
		if err := <-f.done; !errors.Is(err, context.Canceled) {
			f.t.Error(err)
		}
	})
}

func (f *follower) expect(want ...string) {
	f.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		f.mu.Lock()
		got := slices.Clone(f.lines)
		f.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) || len(got) > len(want) {
			f.t.Fatalf("lines %q, want %q", got, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestNewLinesPartialLinesAndBlankLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "old\n")
	f := start(t, path, Options{FromStart: true})
	f.expect("old")
	write(t, path, "par")
	time.Sleep(30 * time.Millisecond)
	f.expect("old")
	write(t, path, "tial\n\nnext\r\n")
	f.expect("old", "partial", "next")
}

func TestBeginsAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "old\n")
	begun(t, path).reads("new\n", "new")
}

func TestFileThatAppearsLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	begun(t, path).reads("first\n", "first")
}

// beginner is a tailer that has found where to start.
type beginner struct {
	t     *testing.T
	lines []string
	*tailer
}

func begun(t *testing.T, path string) *beginner {
	t.Helper()
	b := &beginner{t: t}
	b.tailer = &tailer{path: path, o: Options{MaxLine: 100}, emit: func(l Line) error {
		b.lines = append(b.lines, string(l.Text))
		return nil
	}}
	t.Cleanup(b.close)
	if err := b.begin(); err != nil {
		t.Fatal(err)
	}
	return b
}

// reads adds a text to the file and looks for lines.
func (b *beginner) reads(text string, want ...string) {
	b.t.Helper()
	write(b.t, b.path, text)
	if err := b.poll(b.t.Context()); err != nil || !slices.Equal(b.lines, want) {
		b.t.Errorf("lines %q, want %q, error %v", b.lines, want, err)
	}
}

// TestRotation renames the log as logrotate does, with NGINX writing to the old file until it reopens.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "1\n")
	f := start(t, path, Options{FromStart: true})
	f.expect("1")
	rename(t, path, path+".1")
	write(t, path+".1", "2\n")
	f.expect("1", "2")
	write(t, path+".1", "3\nlast without newline")
	write(t, path, "4\n")
	f.expect("1", "2", "3", "last without newline", "4")
}

func TestTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "1\n2\n3\n")
	f := start(t, path, Options{FromStart: true})
	f.expect("1", "2", "3")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond)
	write(t, path, "4\n")
	f.expect("1", "2", "3", "4")
}

func TestLongLinesAreCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, strings.Repeat("x", 25)+"\nshort\n")
	f := start(t, path, Options{FromStart: true, MaxLine: 10})
	f.expect(strings.Repeat("x", 10), strings.Repeat("x", 10), "xxxxx", "short")
}

func TestResume(t *testing.T) {
	for _, rotated := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "log")
		write(t, path, "1\n2\n")
		first := start(t, path, Options{FromStart: true})
		first.expect("1", "2")
		first.stop()
		write(t, path, "3\n")
		if rotated {
			rename(t, path, path+".1")
		}
		write(t, path, "4\n")
		at := first.last
		start(t, path, Options{Resume: &at}).expect("3", "4")
	}
}

func TestResumeWhenTheFileIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "new\n")
	start(t, path, Options{Resume: &Position{Inode: 1, Offset: 99}}).expect("new")
}

func TestWhatIsThereWhenContextEndsIsEmitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "1\n")
	ctx, cancel := context.WithCancel(t.Context())
	var lines []string
	err := Follow(ctx, path, Options{FromStart: true, Poll: time.Hour}, func(l Line) error {
		if lines = append(lines, string(l.Text)); len(lines) == 1 {
			write(t, path, "2\n")
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(lines, []string{"1", "2"}) {
		t.Errorf("lines %q, error %v", lines, err)
	}
}

func TestEmitErrorEndsFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "1\n")
	wrong := errors.New("wrong")
	if err := Follow(t.Context(), path, Options{FromStart: true}, func(Line) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("error %v", err)
	}
}

func TestLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "1\n2\n3\npart")
	for n, want := range map[int]string{0: "", 2: "2,3", 9: "1,2,3", -1: ""} {
		lines, end, err := Last(path, n)
		var got []string
		for _, l := range lines {
			got = append(got, string(l))
		}
		if err != nil || strings.Join(got, ",") != want || end.Offset != 6 {
			t.Errorf("last %d: %q up to %v, %v", n, got, end, err)
		}
	}
}
