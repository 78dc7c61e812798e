package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func output(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(args, &out))
	return out.String()
}

func TestTable(t *testing.T) {
	assert.Equal(t, `gateway replicas        6            ceil(100 / 20) + 1
agents per replica      17           ceil(100 / 6)
memory per replica      1290 MB      256 + 17 × 2 + 500 × 2 (buffers)
ClickHouse memory       7 GB         2 + 100000 / 10000 × 0.5
ClickHouse storage      648 GB       100000 rows/s × 86400 s × 500 B × 0.15 / 1e9
  per day               648 GB       
profile to start from   enterprise   deploy/helm/avika/profiles/enterprise.yaml
`, output(t, "--agents", "100", "--rps", "100000", "--retention", "1d", "--log-buffer", "500000", "--span-buffer", "1000000"))
}

func TestJSON(t *testing.T) {
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(output(t, "--agents=100", "--rps=100000", "--output=json")), &got))
	assert.Equal(t, map[string]any{
		"agents": 100.0, "rps": 100000.0, "retention_seconds": 604800.0, "profile": "enterprise", "gateway_replicas": 6.0,
		"agents_per_replica": 17.0, "buffer_mb": 100.0, "gateway_memory_mb": 490.0, "clickhouse_memory_gb": 7.0,
		"storage_per_day_gb": 648.0, "storage_gb": 4536.0,
	}, got)
}

// TestValues: what was given is in them, so that the chart's TTL and buffers are those that the sizes are for.
func TestValues(t *testing.T) {
	assert.Equal(t, `# avika-sizing: 40 agents, 8000 requests per second, 2 days of access logs
sizing:
  agents: 40
  rps: 8000
  retentionDays: 2
  logBytes: 500
  spanBytes: 250
  compressionRatio: 0.15
gateway:
  replicaCount: 3
  resources:
    limits:
      memory: 896Mi
clickhouse:
  config:
    logBufferSize: 500000
    spanBufferSize: 200000
  resources:
    limits:
      memory: 2496Mi
  persistence:
    size: 104Gi
`, output(t, "--agents=40", "--rps=8000", "--retention=36h", "--log-buffer=500000", "--output=values"))
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	require.ErrorIs(t, run([]string{"--help"}, &out), flag.ErrHelp)
	assert.Equal(t, help, out.String())
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing":        {nil, "give --agents and --rps"},
		"no rps":         {[]string{"--agents=1"}, "give --agents and --rps"},
		"no agents":      {[]string{"--agents=0", "--rps=1"}, "agents must be positive, is 0"},
		"negative rps":   {[]string{"--agents=1", "--rps=-2"}, "rps must be a number of at least 0, is -2"},
		"no number":      {[]string{"--agents=x", "--rps=1"}, `invalid value "x" for flag -agents`},
		"no duration":    {[]string{"--agents=1", "--rps=1", "--retention=xd"}, `"xd" is no number of days`},
		"too short":      {[]string{"--agents=1", "--rps=1", "--retention=0d"}, "retention must be at least 1s, is 0s"},
		"ratio":          {[]string{"--agents=1", "--rps=1", "--compression-ratio=15"}, "compression-ratio must be above 0 and at most 1, is 15"},
		"output":         {[]string{"--agents=1", "--rps=1", "--output=xml"}, `--output must be table, json or values, is "xml"`},
		"left over":      {[]string{"--agents=1", "--rps=1", "json"}, `unexpected argument "json"`},
		"unknown option": {[]string{"--rpm=1"}, "flag provided but not defined: -rpm"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, run(c.args, &bytes.Buffer{}), c.want)
		})
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"7d": 168 * time.Hour, "0.5d": 12 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute} {
		got, err := duration(in)
		require.NoError(t, err)
		assert.Equal(t, want, got, in)
	}
}
