package watch

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

var fenced = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

// blocks are the code blocks of a language in docs/troubleshooting.md and docs/runbooks.md.
func blocks(t *testing.T, language string) (all []string) {
	t.Helper()
	for _, file := range []string{"troubleshooting.md", "runbooks.md"} {
		for _, m := range fenced.FindAllStringSubmatch(read(t, harness.Root(t), "docs", file), -1) {
			if m[1] == language {
				all = append(all, m[2])
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// testCommands runs every command with this gateway's ports, and requires that it says something.
func (s *site) testCommands(t *testing.T) {
	ports := strings.NewReplacer(
		"http://localhost:5021", s.gateway.URL(""), "localhost:5021", strings.TrimPrefix(s.gateway.URL(""), "http://"),
		"localhost:5022", hostOf(t, s.gateway.MetricsURL()),
		"localhost:1777", hostAt(s.gateway.Pprof), "localhost:55679", hostAt(s.gateway.Zpages),
	)
	dir := t.TempDir()
	for _, block := range blocks(t, "sh") {
		for command := range strings.Lines(block) {
			command = strings.TrimSpace(command)
			cmd := exec.Command("bash", "-c", "set -o pipefail; "+strings.ReplaceAll(ports.Replace(command), "curl -s", "curl -sS --fail"))
			cmd.Dir = dir
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			// head ends a pipe early, which is no failure.
			assert.True(t, err == nil || strings.Contains(command, "| head"), "%s: %v\n%s", command, err, said.String())
			assert.NotEmpty(t, strings.TrimSpace(string(out)), "%s\n%s", command, said.String())
		}
	}
}

// mayBeEmpty are queries for what need not be: the engine of the tests has no asynchronous inserts.
var mayBeEmpty = regexp.MustCompile(`system\.(asynchronous_insert|merges|replicas)`)

// testQueries runs every query on the engine that the fleet has filled.
func (s *site) testQueries(t *testing.T) {
	for _, query := range blocks(t, "sql") {
		n := s.ch.Uint(t, "SELECT count() FROM ("+query+")")
		if !mayBeEmpty.MatchString(query) {
			assert.Positive(t, n, query)
		}
	}
}
