package watch

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// view is a dashboard as it is looked at: its time range, the width of a point, the chosen agents (none: all).
type view struct {
	from, to time.Time
	interval time.Duration
	agents   []string
}

// expand makes of a panel's SQL what Grafana's ClickHouse data source sends.
func (v *view) expand(sql string) string {
	sql = v.conditions(sql)
	for _, m := range []struct{ pattern, to string }{
		{`\$__timeFilter\(([^)]*)\)`, fmt.Sprintf("$1 >= toDateTime(%d) AND $1 <= toDateTime(%d)", v.from.Unix(), v.to.Unix())},
		{`\$__timeInterval\(([^)]*)\)`, fmt.Sprintf("toStartOfInterval(toDateTime($1), INTERVAL %d second)", v.seconds())},
		{`\$__interval_s`, fmt.Sprint(v.seconds())},
		{`\$__fromTime`, fmt.Sprintf("toDateTime(%d)", v.from.Unix())},
		{`\$__toTime`, fmt.Sprintf("toDateTime(%d)", v.to.Unix())},
		{`\$\{database\}`, "nginx_analytics"},
		{`\$\{agent:singlequote\}`, "'" + strings.Join(v.agents, "','") + "'"},
	} {
		sql = regexp.MustCompile(m.pattern).ReplaceAllString(sql, m.to)
	}
	return sql
}

func (v *view) seconds() int { return max(int(v.interval/time.Second), 1) }

// conditions replaces $__conditionalAll(condition, $agent): all agents are no condition.
func (v *view) conditions(sql string) string {
	const macro = "$__conditionalAll("
	for {
		start := strings.Index(sql, macro)
		if start < 0 {
			return sql
		}
		rest, depth, end := sql[start+len(macro):], 1, 0
		for ; depth > 0; end++ {
			switch rest[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		condition := rest[:strings.LastIndex(rest[:end], ",")]
		if len(v.agents) == 0 {
			condition = "1=1"
		}
		sql = sql[:start] + condition + rest[end:]
	}
}

func TestMacros(t *testing.T) {
	v := view{from: time.Unix(100, 0), to: time.Unix(200, 0), interval: 10 * time.Second}
	const sql = `SELECT $__timeInterval(ts) AS time, 1 / $__interval_s FROM ${database}.t WHERE $__timeFilter(ts) AND $__conditionalAll(a IN (${agent:singlequote}), $agent)`
	const start = `SELECT toStartOfInterval(toDateTime(ts), INTERVAL 10 second) AS time, 1 / 10 FROM nginx_analytics.t WHERE ts >= toDateTime(100) AND ts <= toDateTime(200) AND `
	assert.Equal(t, start+"1=1", v.expand(sql))
	v.agents = []string{"a", "b"}
	assert.Equal(t, start+"a IN ('a','b')", v.expand(sql))
}
