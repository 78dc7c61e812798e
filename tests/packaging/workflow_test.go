package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
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

// TestImagesAreThoseOfTheRelease: what the chart, the compose stack and the instructions run is what a release pushes.
func TestImagesAreThoseOfTheRelease(t *testing.T) {
	root := harness.Root(t)
	released := releasedImages(t, root)
	require.Contains(t, released, "ghcr.io/avika-ai/otelcol-avika")
	for _, file := range []string{
		"deploy/helm/avika/values.yaml", "deploy/compose/compose.yaml", "distributions/avika-gateway/Dockerfile", "distributions/avika-gateway/README.md",
	} {
		used := ownImage.FindAllStringSubmatch(readFile(filepath.Join(root, file)), -1)
		assert.NotEmpty(t, used, file)
		for _, image := range used {
			assert.Contains(t, released, image[1], file)
		}
	}
}

// ownImage is the name of one of our images, as it stands before a tag or as a chart's repository.
var ownImage = regexp.MustCompile(`(?m)(?: |^)([\w.-]+(?:/[\w.-]+)*/(?:otelcol-avika|agentsim))(?::|$)`)

// releasedImages are the names that the release workflow pushes.
func releasedImages(t *testing.T, root string) []string {
	t.Helper()
	var w struct {
		Jobs map[string]struct {
			Strategy struct {
				Matrix struct {
					Include []struct{ Name string }
				}
			}
			Steps []struct {
				With struct{ Tags string }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(readFile(filepath.Join(root, ".github/workflows/release.yml"))), &w))
	var images []string
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			name, _, _ := strings.Cut(strings.ReplaceAll(step.With.Tags, "${{ github.repository_owner }}", "avika-ai"), ":")
			for _, built := range job.Strategy.Matrix.Include {
				if name != "" {
					images = append(images, strings.ReplaceAll(name, "${{ matrix.name }}", built.Name))
				}
			}
		}
	}
	return images
}
