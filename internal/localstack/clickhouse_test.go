package localstack_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

func startClickHouse(t *testing.T, opts localstack.ClickHouseOptions) *localstack.ClickHouse {
	t.Helper()
	if err := localstack.HaveClickHouse(); err != nil {
		testenv.Missing(t, err.Error())
	}
	c, err := localstack.StartClickHouse(startContext(t), opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Stop()) })
	return c
}

// How long, and how often, tests look for something that happens in the background.
const (
	waitFor = 30 * time.Second
	tick    = 20 * time.Millisecond
)

// startContext bounds how long a server may take to start.
func startContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// query asks over HTTP and returns the trimmed answer.
func query(c *localstack.ClickHouse, user, password, sql string) (string, error) {
	values := url.Values{"user": {user}, "password": {password}}
	client := http.Client{Timeout: waitFor, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+c.HTTPAddr()+"/?"+values.Encode(), "text/plain", strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, body)
	}
	return strings.TrimSpace(string(body)), err
}

func mustQuery(t *testing.T, c *localstack.ClickHouse, sql string) string {
	t.Helper()
	answer, err := query(c, "default", "", sql)
	require.NoError(t, err)
	return answer
}

func TestClickHouseKeepsDataThroughKillAndRestart(t *testing.T) {
	c := startClickHouse(t, localstack.ClickHouseOptions{Dir: t.TempDir()})
	mustQuery(t, c, "CREATE DATABASE d")
	mustQuery(t, c, "CREATE TABLE d.t (n UInt32) ENGINE = MergeTree ORDER BY n")
	mustQuery(t, c, "INSERT INTO d.t SELECT number FROM numbers(1000)")
	before := c.PID()
	require.NoError(t, c.Kill())
	_, err := query(c, "default", "", "SELECT 1")
	require.Error(t, err)
	require.NoError(t, c.Restart(startContext(t)))
	assert.NotEqual(t, before, c.PID())
	assert.Equal(t, "1000", mustQuery(t, c, "SELECT count() FROM d.t"))
	require.NoError(t, c.Restart(startContext(t)), "after a graceful end")
	assert.Equal(t, "1000", mustQuery(t, c, "SELECT count() FROM d.t"))
}

func TestClickHousePausedDoesNotAnswer(t *testing.T) {
	c := startClickHouse(t, localstack.ClickHouseOptions{})
	require.NoError(t, c.Pause())
	client := http.Client{Timeout: 200 * time.Millisecond}
	_, err := client.Get("http://" + c.HTTPAddr() + "/ping") //nolint:bodyclose // there is no answer
	require.Error(t, err)
	require.NoError(t, c.Resume())
	assert.Equal(t, "1", mustQuery(t, c, "SELECT 1"))
}

func TestClickHouseConfigFile(t *testing.T) {
	config, err := filepath.Abs("testdata/users.xml")
	require.NoError(t, err)
	c := startClickHouse(t, localstack.ClickHouseOptions{ConfigFile: config})
	answer, err := query(c, "writer", "secret", "SELECT currentUser()")
	require.NoError(t, err)
	assert.Equal(t, "writer", answer)
	_, err = query(c, "writer", "wrong", "SELECT 1")
	require.Error(t, err)
	assert.Equal(t, "2", mustQuery(t, c, "SELECT count() FROM system.clusters WHERE cluster = 'pair'"))
}

func TestClickHouseStopRemovesATemporaryFolder(t *testing.T) {
	c := startClickHouse(t, localstack.ClickHouseOptions{})
	require.DirExists(t, c.Dir())
	require.NoError(t, c.Stop())
	assert.NoDirExists(t, c.Dir())
	require.NoError(t, c.Stop(), "again")
}

func TestClickHouseThatCannotStartSaysWhy(t *testing.T) {
	if err := localstack.HaveClickHouse(); err != nil {
		testenv.Missing(t, err.Error())
	}
	broken := filepath.Join(t.TempDir(), "broken.xml")
	require.NoError(t, os.WriteFile(broken, []byte("<clickhouse><users>"), 0o600))
	_, err := localstack.StartClickHouse(startContext(t), localstack.ClickHouseOptions{Dir: t.TempDir(), ConfigFile: broken})
	require.ErrorContains(t, err, "ended before it was ready")
}
