package helm

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestDependencyUpdate: the documented command fetches the collector chart, also a second time, which `helm dependency build` refuses
// when nobody has added the repository by hand.
func TestDependencyUpdate(t *testing.T) {
	repository := t.TempDir()
	for _, args := range [][]string{{"package", filepath.Join("testdata", "opentelemetry-collector"), "--destination", repository}, {"repo", "index", repository}} {
		_, err := helm(t, args...)
		require.NoError(t, err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(repository)))
	t.Cleanup(server.Close)
	checkout := filepath.Join(t.TempDir(), "avika")
	require.NoError(t, os.CopyFS(checkout, os.DirFS(filepath.Join(harness.Root(t), "deploy", "helm", "avika"))))
	file := filepath.Join(checkout, "Chart.yaml")
	definition, err := os.ReadFile(file)
	require.NoError(t, err)
	local := strings.ReplaceAll(string(definition), "https://open-telemetry.github.io/opentelemetry-helm-charts", server.URL)
	require.NoError(t, os.WriteFile(file, []byte(local), 0o600))
	for range 2 {
		_, err := helm(t, "dependency", "update", checkout)
		require.NoError(t, err)
	}
	_, err = helm(t, "template", "avika", checkout, "--kube-version", kubernetes)
	require.NoError(t, err)
}
