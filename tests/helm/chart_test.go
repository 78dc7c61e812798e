package helm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// chart is a copy of the umbrella chart with its dependency in place, as `helm dependency update` leaves it.
var chart string

func TestMain(m *testing.M) {
	os.Exit(withChart(m))
}

func withChart(m *testing.M) int {
	dir, err := os.MkdirTemp("", "avika-chart-")
	if err == nil {
		defer os.RemoveAll(dir)
		chart = filepath.Join(dir, "avika")
		err = prepare(chart)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare the chart:", err)
		return 1
	}
	return m.Run()
}

func prepare(to string) error {
	root, err := localstack.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(filepath.Join(root, "deploy", "helm", "avika"))); err != nil {
		return err
	}
	// What a developer fetched is not what is tested.
	fetched, _ := filepath.Glob(filepath.Join(to, "charts", "*.tgz"))
	for _, archive := range fetched {
		if err := os.Remove(archive); err != nil {
			return err
		}
	}
	if err := showNotes(to); err != nil {
		return err
	}
	from, err := dependency()
	if err != nil {
		return err
	}
	if strings.HasSuffix(from, ".tgz") {
		archive, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, "charts", filepath.Base(from)), archive, 0o644)
	}
	return os.CopyFS(filepath.Join(to, "charts", "opentelemetry-collector"), os.DirFS(from))
}

// showNotes makes `helm template`, which leaves them out, render the notes as a ConfigMap.
func showNotes(chart string) error {
	notes, err := os.ReadFile(filepath.Join(chart, "templates", "NOTES.txt"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(chart, "files", "NOTES.txt"), notes, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(chart, "templates", "notes.yaml"), []byte(`apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  notes: {{ tpl (.Files.Get "files/NOTES.txt") . | quote }}
`), 0o644)
}

// dependency is the stand-in, or what CHART_DIR names.
func dependency() (string, error) {
	dir := os.Getenv("CHART_DIR")
	if dir == "" {
		return filepath.Join("testdata", "opentelemetry-collector"), nil
	}
	archive := filepath.Join(dir, "opentelemetry-collector-0.170.0.tgz")
	for _, path := range []string{archive, filepath.Join(dir, "Chart.yaml")} {
		if _, err := os.Stat(path); err == nil {
			return strings.TrimSuffix(path, "/Chart.yaml"), nil
		}
	}
	return "", fmt.Errorf("CHART_DIR=%s has neither %s nor Chart.yaml", dir, filepath.Base(archive))
}

func official() bool { return os.Getenv("CHART_DIR") != "" }

// helm runs Helm and returns its standard output and what it complained of.
func helm(t testing.TB, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), harness.Binary(t, "helm"), args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("helm %s: %w: %s", args[0], err, stderr.String())
	}
	return stdout.String(), nil
}

const kubernetes = "1.34.0"

// template renders the chart as release avika in namespace avika-prod.
func template(t testing.TB, args ...string) (string, error) {
	t.Helper()
	return helm(t, append([]string{"template", "avika", chart, "--namespace", "avika-prod", "--kube-version", kubernetes}, args...)...)
}

// render is template, decoded.
func render(t testing.TB, args ...string) *manifests {
	t.Helper()
	text, err := template(t, args...)
	require.NoError(t, err)
	return decode(t, text)
}

// refused renders values that must not be accepted, and returns why they are not.
func refused(t testing.TB, args ...string) string {
	t.Helper()
	_, err := template(t, args...)
	require.Error(t, err)
	return err.Error()
}

// profile is the arguments for profiles.
func profile(names ...string) []string {
	var args []string
	for _, name := range names {
		args = append(args, "-f", filepath.Join(chart, "profiles", name+".yaml"))
	}
	return args
}

// set is the arguments for single values.
func set(assignments ...string) []string {
	var args []string
	for _, a := range assignments {
		args = append(args, "--set", a)
	}
	return args
}

// renderWithout renders the chart without one of its files, which must fail, and returns why.
func renderWithout(t testing.TB, file string) string {
	t.Helper()
	broken := filepath.Join(t.TempDir(), "avika")
	require.NoError(t, os.CopyFS(broken, os.DirFS(chart)))
	require.NoError(t, os.Remove(filepath.Join(broken, file)))
	_, err := helm(t, "template", "avika", broken, "--kube-version", kubernetes)
	require.Error(t, err)
	return err.Error()
}
