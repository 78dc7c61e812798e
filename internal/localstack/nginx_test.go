package localstack_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

const nginxConf = `pid nginx.pid;
events {}
http {
  access_log logs/access.log;
  server { listen 127.0.0.1:%d; location / { return 200 "%s"; } }
}
`

func TestNGINXServesReloadsAndStops(t *testing.T) {
	if err := localstack.HaveNGINX(); err != nil {
		testenv.Missing(t, err.Error())
	}
	ports, err := localstack.FreePorts(1)
	require.NoError(t, err)
	base := fmt.Sprintf("http://127.0.0.1:%d/", ports[0])
	n, err := localstack.StartNGINX(startContext(t), localstack.NGINXOptions{
		Dir: t.TempDir(), Config: fmt.Sprintf(nginxConf, ports[0], "one"), Ready: base,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, n.Stop()) })
	assert.Equal(t, "one", get(t, base))
	require.NoError(t, os.WriteFile(n.ConfigFile(), fmt.Appendf(nil, nginxConf, ports[0], "two"), 0o600))
	require.NoError(t, n.Reload())
	assert.Eventually(t, func() bool { return get(t, base) == "two" }, waitFor, tick)
	assert.Contains(t, localstack.Tail(filepath.Join(n.Dir(), "logs", "access.log"), 1), "GET / HTTP/1.1")
	require.NoError(t, n.Kill())
	require.NoError(t, n.Restart(startContext(t)))
	assert.Equal(t, "two", get(t, base))
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}
