package localstack

import (
	"io"
	"os"
	"strings"
)

// tailBytes bounds what is read from the end of a log.
const tailBytes = 64 << 10

// Tail returns the last lines of a file, or why it cannot be read.
func Tail(path string, lines int) string {
	if path == "" {
		return ""
	}
	text, err := readEnd(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func readEnd(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if _, err := f.Seek(max(0, info.Size()-tailBytes), io.SeekStart); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, tailBytes))
	return string(text), err
}
