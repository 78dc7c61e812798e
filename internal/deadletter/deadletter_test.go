package deadletter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	first, err := Keep(dir, []byte("rubbish"), Letter{Signal: "logs", Cause: "because"})
	require.NoError(t, err)
	again, err := Keep(dir, []byte("rubbish"), Letter{Signal: "logs", Cause: "because"})
	require.NoError(t, err)
	require.Equal(t, first, again, "delivered twice, kept once")
	other, err := Keep(dir, []byte("other"), Letter{Signal: "logs"})
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	data, err := os.ReadFile(first)
	require.NoError(t, err)
	require.Equal(t, "rubbish", string(data))
	raw, err := os.ReadFile(strings.TrimSuffix(first, OTLP) + About)
	require.NoError(t, err)
	var about Letter
	require.NoError(t, json.Unmarshal(raw, &about))
	require.Equal(t, "because", about.Cause)
	require.Equal(t, 7, about.Bytes)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 4, "no temporary files are left")
}

func TestNowhereToKeep(t *testing.T) {
	_, err := Keep("", nil, Letter{})
	require.ErrorIs(t, err, ErrNoDirectory)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Keep(file, nil, Letter{Signal: "logs"})
	require.Error(t, err)
}

func TestNothingIsLeftOfAFileThatCannotBeNamed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "taken.otlp"), 0o700))
	_, err := Write(dir, "taken", OTLP, []byte("data"), Letter{})
	require.Error(t, err)
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}
