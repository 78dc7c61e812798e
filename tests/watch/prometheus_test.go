package watch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// prometheus is a real server with the shipped configuration, whose targets and intervals are the test's.
type prometheus struct{ url string }

func startPrometheus(t *testing.T, gatewayMetrics, clickHouseMetrics string) *prometheus {
	t.Helper()
	needPrometheus(t)
	dir, port := t.TempDir(), harness.Ports(t, 1)[0]
	shipped := filepath.Join(harness.Root(t), "deploy", "prometheus")
	config := read(t, filepath.Join(shipped, "prometheus.yml"))
	for from, to := range map[string]string{
		"localhost:5022": hostOf(t, gatewayMetrics), "localhost:9363": hostOf(t, clickHouseMetrics), "interval: 15s": "interval: 1s",
	} {
		require.Contains(t, config, from)
		config = strings.ReplaceAll(config, from, to)
	}
	write(t, filepath.Join(dir, "prometheus.yml"), config)
	write(t, filepath.Join(dir, "alerts.yml"), read(t, filepath.Join(shipped, "alerts.yml")))
	p, err := localstack.StartProcess(localstack.Spec{
		Name: "Prometheus", LogFile: filepath.Join(dir, "prometheus.log"), DeathSignal: syscall.SIGKILL,
		Args: []string{
			"prometheus", "--config.file=" + filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=127.0.0.1:" + strconv.Itoa(port),
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Stop(10 * time.Second) })
	harness.ShowLogOnFailure(t, "Prometheus", p.LogFile())
	address := "http://" + hostAt(port)
	require.Eventually(t, func() bool {
		code, _, err := fetch(address + "/-/ready")
		return err == nil && code == http.StatusOK
	}, harness.WaitFor, harness.Tick, "Prometheus is not ready")
	return &prometheus{url: address}
}

func needPrometheus(t *testing.T) {
	t.Helper()
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			testenv.Missing(t, program+" is not installed: run `make servers`")
		}
	}
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}

// answer is what Prometheus' API says.
type answer struct {
	Status, Error string
	Data          struct {
		Result []any
		Groups []struct {
			Name  string
			Rules []struct{ Name, Health, LastError, State string }
		}
		ActiveTargets []struct{ Health, LastError string }
	}
}

// get asks for a path of the API; an error is what Prometheus says of the question.
func (p *prometheus) get(path string, params url.Values) (answer, error) {
	var a answer
	_, body, err := fetch(p.url + "/api/v1/" + path + "?" + params.Encode())
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("%s: %w", body, err)
	}
	if a.Status != "success" {
		return a, fmt.Errorf("%s", a.Error)
	}
	return a, nil
}

// count evaluates an expression now, and returns how many series there are.
func (p *prometheus) count(expr string) (int, error) {
	a, err := p.get("query", url.Values{"query": {expr}})
	return len(a.Data.Result), err
}

func fetch(address string) (int, []byte, error) {
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get(address)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	return resp.StatusCode, body, err
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(data)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func hostAt(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
