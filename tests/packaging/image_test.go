package packaging

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// quiet swallows what fails while tables do not exist yet.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}

func pid(g *harness.Gateway) string { return strconv.Itoa(g.PID()) }

// parseDockerfile reads the Dockerfile with Docker's own parser and requires that its linter has nothing to say.
func parseDockerfile(t *testing.T) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "distributions/avika-gateway/Dockerfile"))
	require.NoError(t, err)
	parsed, err := parser.Parse(bytes.NewReader(text))
	require.NoError(t, err)
	require.Empty(t, parsed.Warnings)
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, at []parser.Range) { t.Errorf("%s: %s %v", rule, message, at) },
	}))
	require.NoError(t, err)
	return stages
}

// image is what the last stage of the Dockerfile makes.
type image struct {
	root                         string
	env, entrypoint, cmd, health []string
	user                         string
}

// assemble does what the last stage's instructions say in a folder. What the first stage compiles is taken from bin/, where
// `make build` has put it.
func assemble(t *testing.T) image {
	t.Helper()
	stages := parseDockerfile(t)
	last := stages[len(stages)-1]
	require.Equal(t, "gateway", last.Name)
	img := image{root: t.TempDir()}
	require.NoError(t, os.Chmod(img.root, 0o755))
	for _, command := range last.Commands {
		switch c := command.(type) {
		case *instructions.CopyCommand:
			img.copy(t, c)
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				img.env = append(img.env, pair.Key+"="+pair.Value)
			}
		case *instructions.UserCommand:
			img.user = c.User
		case *instructions.EntrypointCommand:
			img.entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			img.cmd = c.CmdLine
		case *instructions.HealthCheckCommand:
			img.health = c.Health.Test
		}
	}
	return img
}

func (img *image) copy(t *testing.T, c *instructions.CopyCommand) {
	t.Helper()
	target := filepath.Join(img.root, c.DestPath)
	for _, source := range c.SourcePaths {
		if c.From == "" {
			img.copyContext(t, source, target)
			continue
		}
		if source == "/state" {
			require.Equal(t, "65532:65532", c.Chown)
			require.NoError(t, os.MkdirAll(target, 0o755))
			require.NoError(t, os.Chown(target, 65532, 65532))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		copyFile(t, harness.Binary(t, filepath.Base(source)), target, 0o755)
	}
}

// copyContext copies files of the repository, which .dockerignore must let through.
func (img *image) copyContext(t *testing.T, pattern, target string) {
	t.Helper()
	ignore, err := os.Open(filepath.Join(harness.Root(t), ".dockerignore"))
	require.NoError(t, err)
	defer func() { _ = ignore.Close() }()
	patterns, err := ignorefile.ReadAll(ignore)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(harness.Root(t), pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	require.NoError(t, os.MkdirAll(target, 0o755))
	for _, file := range files {
		name, err := filepath.Rel(harness.Root(t), file)
		require.NoError(t, err)
		ignored, err := patternmatcher.MatchesOrParentMatches(name, patterns)
		require.NoError(t, err)
		require.False(t, ignored, "%s is in .dockerignore", name)
		copyFile(t, file, filepath.Join(target, filepath.Base(file)), 0o644)
	}
}

// readOnly mounts the image's files read-only, with the one place that is written to as a volume.
// A container engine brings /etc/hosts, without which localhost is no name.
const readOnly = `mkdir -p "$1/proc"
cp /etc/hosts "$1/etc/hosts"
mount --bind "$1" "$1"
mount -t tmpfs -o uid=65532,gid=65532,mode=755 tmpfs "$1/var/lib/otelcol-avika"
mount -o remount,bind,ro "$1"
mount --rbind "$1" /mnt`

// TestImage: nothing but what the Dockerfile puts into the image, on a read-only root, without rights and without an
// environment, takes in data, and its health check and the scaling guide's debug command work in it.
func TestImage(t *testing.T) {
	img := assemble(t)
	requireStatic(t, filepath.Join(img.root, img.entrypoint[0]))
	requireStatic(t, filepath.Join(img.root, "usr/bin/httpget"))
	s := newSandbox(t, readOnly, img.root)
	ch, pg := harness.StartClickHouse(t), harness.StartPostgres(t)
	require.NotContains(t, img.user, "root")
	inside := func(args ...string) []string { return s.command([]string{"--userspec=" + img.user}, args...) }
	start := inside(slices.Concat(img.entrypoint, img.cmd)...)
	g := harness.StartGateway(t, harness.GatewayOptions{
		Command: slices.Concat([]string{"sh", "-c", onlySettings, "sh"}, img.env, start), ClickHouse: ch.Addr(), Postgres: pg.DSN(),
	})
	healthy := func() bool {
		return runIn(inside, slices.Concat(img.health[1:len(img.health)-1], []string{g.HealthURL()})...) == nil
	}
	require.Eventually(t, healthy, harness.WaitFor, harness.Tick, "the image's health check fails")
	harness.RunFleet(t, g.AgentAddr(), "--agents", "2", "--rate", "100", "--total", "200")
	require.Eventually(t, func() bool {
		return ch.Uint(quiet{}, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs") == 200
	}, harness.WaitFor, harness.Tick)
	guide := inside("/usr/bin/curl", strings.TrimPrefix(g.MetricsURL(), "http://"))
	metrics, err := exec.Command(guide[0], guide[1:]...).Output()
	require.NoError(t, err)
	assert.Contains(t, string(metrics), "otelcol_exporter_ch_batch_buffer_rows")
	g.Stop()
	require.False(t, healthy(), "it is not healthy any more")
}

// onlySettings runs its arguments, and no variable but those that the harness sets on purpose: no HOME, no USER.
const onlySettings = `eval exec env -i PATH="$PATH" $(env | grep -E '^(AVIKA_|OTLP_|HEALTH_|CLICKHOUSE_|POSTGRES_|GATEWAY_)' | grep -vE '^AVIKA_(LISTEN_HOST|STATE_DIR|TEST)' | sed "s/.*/'&'/") '"$@"'`

func runIn(inside func(...string) []string, args ...string) error {
	line := inside(args...)
	return exec.Command(line[0], line[1:]...).Run()
}

// requireStatic: a program that needs no loader and no library of the image.
func requireStatic(t *testing.T, path string) {
	t.Helper()
	file, err := elf.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for _, program := range file.Progs {
		assert.NotEqual(t, elf.PT_INTERP, program.Type, path)
	}
	libraries, err := file.ImportedLibraries()
	require.NoError(t, err)
	assert.Empty(t, libraries, path)
}
