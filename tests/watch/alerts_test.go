package watch

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/avika-ai/avika-collector/tests/harness"
)

type rule struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, harness.Root(t), "deploy", "prometheus", "alerts.yml")), &file))
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// TestPromtool: the configuration is valid, and every alert fires when it should and is quiet when it should be.
func TestPromtool(t *testing.T) {
	needPrometheus(t)
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = filepath.Join(harness.Root(t), "deploy", "prometheus")
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "promtool %s:\n%s", strings.Join(args, " "), out)
	}
}

// TestEveryAlertIsTested: a test that makes it fire, one in which it is quiet, and a runbook.
func TestEveryAlertIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Name  string
			Rules []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, harness.Root(t), "deploy", "prometheus", "alerts_test.yml")), &file))
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			fires[r.Alertname] = fires[r.Alertname] || len(r.Expected) > 0
			quiet[r.Alertname] = quiet[r.Alertname] || len(r.Expected) == 0
		}
	}
	runbooks := read(t, harness.Root(t), "docs", "runbooks.md")
	for _, a := range alerts(t) {
		assert.True(t, fires[a.Alert], "no test makes %s fire", a.Alert)
		assert.True(t, quiet[a.Alert], "no test shows %s quiet", a.Alert)
		assert.Contains(t, runbooks, "\n## "+a.Alert+"\n")
		assert.True(t, strings.HasSuffix(a.Annotations["runbook_url"], "/docs/runbooks.md#"+strings.ToLower(a.Alert)), a.Alert)
		assert.Contains(t, []string{"critical", "warning"}, a.Labels["severity"], a.Alert)
	}
}

var reasons = regexp.MustCompile(`\brefused\w+\s+= "(\w+)"`)

// TestEveryReasonIsInTheRunbooks: whatever agents and records are refused for, but what happens every day.
func TestEveryReasonIsInTheRunbooks(t *testing.T) {
	found := reasons.FindAllStringSubmatch(read(t, harness.Root(t), "receiver", "avikareceiver", "telemetry.go"), -1)
	require.NotEmpty(t, found)
	runbooks := read(t, harness.Root(t), "docs", "runbooks.md")
	for _, m := range found {
		if m[1] != "idle" {
			assert.Contains(t, runbooks, "`"+m[1]+"`")
		}
	}
}

// metricNames are all that our expressions use, by their prefixes.
var metricNames = regexp.MustCompile(`\b(nginx_gateway|otelcol|ClickHouse[A-Za-z]*)_\w+`)

// TestExpressionsUseDocumentedMetrics: nothing in an alert or a dashboard that docs/metrics.md does not explain.
func TestExpressionsUseDocumentedMetrics(t *testing.T) {
	known := documented(t)
	for _, a := range alerts(t) {
		for _, name := range metricNames.FindAllString(a.Expr, -1) {
			assert.Contains(t, known, family(name), a.Alert)
		}
	}
	targets(t, "prometheus", func(t *testing.T, _ *dashboard, _ *panel, q target) {
		for _, name := range metricNames.FindAllString(q.Expr, -1) {
			assert.Contains(t, known, family(name), q.Expr)
		}
	})
}

// family is the name of a histogram without what its series add.
func family(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// testAlertsLoad: a Prometheus with the shipped configuration scrapes both targets and evaluates every rule.
func (s *site) testAlertsLoad(t *testing.T) {
	require.Eventually(t, func() bool {
		a, err := s.prometheus.get("targets", nil)
		up := 0
		for _, target := range a.Data.ActiveTargets {
			if target.Health == "up" {
				up++
			}
		}
		return err == nil && up == 2
	}, harness.WaitFor, 4*harness.Tick, "not both targets are up")
	rules := map[string]string{}
	require.Eventually(t, func() bool {
		a, err := s.prometheus.get("rules", nil)
		pending := err != nil
		for _, g := range a.Data.Groups {
			for _, r := range g.Rules {
				rules[r.Name] = r.Health + r.LastError
				pending = pending || r.Health == "unknown"
			}
		}
		return !pending
	}, harness.WaitFor, 4*harness.Tick)
	require.Len(t, rules, len(alerts(t)))
	for name, health := range rules {
		assert.Equal(t, "ok", health, name)
	}
}
