package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// logLine is what the tests look at of the JSON log format.
type logLine struct {
	RequestID string  `json:"req_id"`
	Method    string  `json:"method"`
	Path      string  `json:"path"`
	Status    int     `json:"status"`
	Time      float64 `json:"rt"`
	Msec      float64 `json:"msec"`
	Upstream  string  `json:"upstream"`
	Cache     string  `json:"cache_status"`
}

func TestSiteWithTraffic(t *testing.T) {
	if err := localstack.HaveNGINX(); err != nil {
		testenv.Missing(t, err.Error())
	}
	ports, err := localstack.FreePorts(1)
	require.NoError(t, err)
	s := &stack{opts: options{data: t.TempDir(), nginxPort: ports[0], rate: 300}, screen: newScreen(os.Stdout)}
	t.Cleanup(func() { assert.NoError(t, s.down()) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, s.startNGINX(ctx))
	require.NoError(t, s.startTraffic(ctx))
	assert.EventuallyWithT(t, func(c *assert.CollectT) { covers(c, readLog(t, s.accessLog())) }, time.Minute, 200*time.Millisecond)
}

func readLog(t *testing.T, path string) (lines []logLine) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	for in := bufio.NewScanner(f); in.Scan(); {
		var l logLine
		if json.Unmarshal(in.Bytes(), &l) != nil {
			continue // the last line, half written
		}
		assert.Len(t, l.RequestID, 32)
		assert.Greater(t, l.Msec, 1e9)
		lines = append(lines, l)
	}
	return lines
}

// covers asserts that all that the demo wants to show has happened.
func covers(t assert.TestingT, lines []logLine) {
	statuses, methods, caches := map[int]bool{}, map[string]bool{}, map[string]bool{}
	ids, attempts := map[string]bool{}, false
	for _, l := range lines {
		statuses[l.Status], methods[l.Method], caches[l.Cache], ids[l.RequestID] = true, true, true, true
		attempts = attempts || strings.Contains(l.Upstream, ", ")
	}
	assert.Subset(t, statuses, map[int]bool{
		200: true, 201: true, 204: true, 301: true, 401: true, 403: true, 404: true, 405: true, 413: true, 499: true,
		500: true, 502: true, 503: true,
	})
	assert.Subset(t, methods, map[string]bool{"DELETE": true, "HEAD": true, "PUT": true, "OPTIONS": true})
	assert.Subset(t, caches, map[string]bool{"HIT": true, "MISS": true})
	assert.True(t, attempts, "a request that was tried twice")
	assert.Len(t, ids, len(lines), "request ids are unique")
}

func TestVisitsComeAsOftenAsTheirWeight(t *testing.T) {
	count := map[string]int{}
	for n := range totalWeight() {
		v := pick(n)
		count[v.method+v.path]++
	}
	assert.Equal(t, 30, count["GET/"])
	assert.Equal(t, visits[len(visits)-1], pick(totalWeight()-1))
}
