package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/avika-ai/avika-collector/tests/harness"
)

type workflow struct {
	Jobs map[string]struct {
		Steps []struct {
			Uses, Run string
		}
	}
}

var (
	pinned = regexp.MustCompile(`^[\w-]+/[\w-]+@v\d+$`)
	calls  = regexp.MustCompile(`\bmake (?:--no-print-directory )?([\w-]+)`)
)

// TestWorkflows: actions are pinned, and what the workflows run is there.
func TestWorkflows(t *testing.T) {
	root := harness.Root(t)
	targets := readFile(filepath.Join(root, "Makefile")) + readFile(filepath.Join(root, "distributions/avika-gateway/release.mk"))
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var w workflow
		require.NoError(t, yaml.Unmarshal(text, &w), file)
		require.NotEmpty(t, w.Jobs, file)
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				assert.True(t, step.Uses == "" || pinned.MatchString(step.Uses), "%s: %s", name, step.Uses)
				for _, call := range calls.FindAllStringSubmatch(step.Run, -1) {
					assert.Contains(t, targets, "\n"+call[1]+":", "%s: %s", name, step.Run)
				}
			}
		}
	}
}
