package configdocs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/configdocs"
)

type limits struct {
	Size int `mapstructure:"size"`
}

type config struct {
	Squashed limits `mapstructure:",squash"`
	Nested   limits `mapstructure:"limits"`
	Name     string `mapstructure:"name"`
	Untagged string
}

func TestUnnamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, os.WriteFile(file, []byte("| `name` | size | `limits.size` |"), 0o600))
	unnamed, err := configdocs.Unnamed(file, &config{})
	require.NoError(t, err)
	assert.Equal(t, []string{"size"}, unnamed)
	_, err = configdocs.Unnamed("missing", config{})
	require.ErrorIs(t, err, os.ErrNotExist)
}
