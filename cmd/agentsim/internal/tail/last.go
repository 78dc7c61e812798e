package tail

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// lookBack bounds how far Last reads from the end of a file.
const lookBack = 8 << 20

// Last returns up to n complete last lines of a file, oldest first, and where the last one ends.
func Last(path string, n int) ([][]byte, Position, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Position{}, fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, Position{}, fmt.Errorf("stat log: %w", err)
	}
	from := max(0, info.Size()-lookBack)
	b, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return nil, Position{}, fmt.Errorf("read log: %w", err)
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	return lastLines(b, from > 0, n), Position{Inode: inode(info), Offset: from + int64(len(b))}, nil
}

func lastLines(b []byte, cutOff bool, n int) [][]byte {
	lines := bytes.FieldsFunc(b, func(r rune) bool { return r == '\n' })
	if cutOff && len(lines) > 0 {
		lines = lines[1:]
	}
	return lines[max(0, len(lines)-max(n, 0)):]
}
