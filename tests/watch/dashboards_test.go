package watch

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// dashboard is what the tests look at of a dashboard's file.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Time          struct{ From, To string }
	Panels        []panel
	Links         []struct{ Title, URL string }
	Templating    struct {
		List []struct {
			Name, Type string
			Multi      bool
			Query      any
		}
	}
}

type panel struct {
	ID                                 int
	Type, Title, Description, Interval string
	Datasource                         datasource
	GridPos                            struct{ X, Y, W, H int }
	Targets                            []target
	FieldConfig                        any
}

type datasource struct{ Type, UID string }

type target struct {
	RefID, RawSQL, Expr string
	Datasource          datasource
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(harness.Root(t), "deploy", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 7)
	all := make([]dashboard, len(files))
	for i, file := range files {
		require.NoError(t, json.Unmarshal([]byte(read(t, file)), &all[i]), file)
		assert.Equal(t, all[i].UID+".json", filepath.Base(file))
	}
	return all
}

func (d *dashboard) has(variable string) (is, multi bool) {
	for _, v := range d.Templating.List {
		if v.Name == variable {
			return true, v.Multi
		}
	}
	return false, false
}

// targets calls fn for every query of a kind of data source.
func targets(t *testing.T, kind string, fn func(t *testing.T, d *dashboard, p *panel, q target)) {
	t.Helper()
	for _, d := range dashboards(t) {
		for i := range d.Panels {
			for _, q := range d.Panels[i].Targets {
				if q.Datasource.Type == kind {
					t.Run(fmt.Sprintf("%s/%s/%s", d.UID, d.Panels[i].Title, q.RefID), func(t *testing.T) { fn(t, &d, &d.Panels[i], q) })
				}
			}
		}
	}
}

// testSQL runs every query, of all agents and of chosen ones, and requires rows.
func (s *site) testSQL(t *testing.T) {
	targets(t, "grafana-clickhouse-datasource", func(t *testing.T, d *dashboard, p *panel, q target) {
		for _, agents := range s.choices(d) {
			v := view{from: time.Now().Add(-span(t, d)), to: time.Now().Add(time.Second), interval: 10 * time.Second, agents: agents}
			if p.Interval != "" {
				v.interval = duration(t, p.Interval)
			}
			s.requireRows(t, v.expand(q.RawSQL))
		}
	})
	for _, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				text, _ := v.Query.(string)
				s.requireRows(t, (&view{from: time.Now().Add(-time.Hour), to: time.Now()}).expand(text))
			}
		}
	}
}

func (s *site) requireRows(t *testing.T, sql string) {
	t.Helper()
	assert.NotContains(t, sql, "$", "a macro or variable that the test does not know")
	assert.Positive(t, s.ch.Uint(t, "SELECT count() FROM ("+sql+")"), sql)
}

// choices of agents that a dashboard is looked at with.
func (s *site) choices(d *dashboard) [][]string {
	is, multi := d.has("agent")
	switch {
	case !is:
		return [][]string{nil}
	case multi:
		return [][]string{nil, {s.nginx, s.simulated}}
	}
	return [][]string{{s.nginx}}
}

func span(t *testing.T, d *dashboard) time.Duration {
	t.Helper()
	from, found := strings.CutPrefix(d.Time.From, "now-")
	require.True(t, found, d.Time.From)
	return duration(t, from)
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

// notHere are metrics that no query can find here: the engine of the tests has no asynchronous metrics, nothing fails
// before the outage, and there is no Kafka.
var notHere = regexp.MustCompile(`ClickHouseAsyncMetrics_|insert_failures|kafka|otelcol_exporter_queue`)

// testPromQL evaluates every expression on a Prometheus that scrapes the gateway and ClickHouse, and requires series.
func (s *site) testPromQL(t *testing.T) {
	targets(t, "prometheus", func(t *testing.T, _ *dashboard, _ *panel, q target) {
		expr := strings.ReplaceAll(q.Expr, "$__rate_interval", "10s")
		require.NotContains(t, expr, "$")
		n, err := s.prometheus.count(expr)
		require.NoError(t, err, expr)
		if notHere.MatchString(expr) {
			return
		}
		assert.Eventually(t, func() bool {
			n, err = s.prometheus.count(expr)
			return n > 0 && err == nil
		}, harness.WaitFor, 4*harness.Tick, "%s returns nothing: %v", expr, err)
	})
}

// testFleetPage: where the dashboards' links lead to. What follows # is the page's own.
func (s *site) testFleetPage(t *testing.T) {
	code, body, err := fetch(s.gateway.URL("/"))
	require.NoError(t, err)
	assert.Equal(t, 200, code)
	assert.Contains(t, string(body), "<html")
}

// TestDashboardsAreWhole checks what Grafana would only show: places, descriptions, data sources, links.
func TestDashboardsAreWhole(t *testing.T) {
	runbooks := read(t, harness.Root(t), "docs", "runbooks.md")
	for _, d := range dashboards(t) {
		t.Run(d.UID, func(t *testing.T) {
			assert.GreaterOrEqual(t, d.SchemaVersion, 39)
			ids, taken := map[int]bool{}, map[[2]int]string{}
			for _, p := range d.Panels {
				assert.False(t, ids[p.ID], "id %d twice", p.ID)
				ids[p.ID] = true
				p.checkPlace(t, taken)
				if p.Type != "row" {
					p.check(t, runbooks)
				}
			}
			for _, name := range []string{"clickhouse", "prometheus", "database", "fleet"} {
				is, _ := d.has(name)
				assert.True(t, is, "no variable %s", name)
			}
			require.Len(t, d.Links, 2)
			assert.Contains(t, d.Links[1].URL, "${fleet}/")
		})
	}
}

func (p *panel) checkPlace(t *testing.T, taken map[[2]int]string) {
	t.Helper()
	g := p.GridPos
	assert.LessOrEqual(t, g.X+g.W, 24, p.Title)
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			assert.Empty(t, taken[[2]int{x, y}], "%s lies over it", p.Title)
			taken[[2]int{x, y}] = p.Title
		}
	}
}

var runbookNames = regexp.MustCompile(`[Rr]unbooks? ((?:[A-Z]\w+(?:, )?)+)`)

func (p *panel) check(t *testing.T, runbooks string) {
	t.Helper()
	assert.NotEmpty(t, p.Title)
	assert.NotEmpty(t, p.Description, p.Title)
	assert.Contains(t, []string{"${clickhouse}", "${prometheus}"}, p.Datasource.UID, p.Title)
	assert.NotEmpty(t, p.Targets, p.Title)
	for _, m := range runbookNames.FindAllStringSubmatch(p.Description, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			assert.Contains(t, runbooks, "\n## "+name+"\n", "%s names a runbook", p.Title)
		}
	}
}
