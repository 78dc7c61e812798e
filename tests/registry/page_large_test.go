package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

const large = 10_000

// TestPageOfTenThousandAgents: the page has nodes for what is in sight only, and moves through all of them.
func TestPageOfTenThousandAgents(t *testing.T) {
	c := prepare(t, 1)
	c.start()
	harness.StartAgent(t, c.gateways[0].AgentAddr(), "--agents", fmt.Sprint(large), "--rate", "0", "--connect-rate", "2000",
		"--heartbeat-interval", "10s", "--metrics-interval", "10s", "--state-interval", "0", "--labels", "env=prod")
	require.EventuallyWithT(t, func(ct *assert.CollectT) {
		var l list
		if c.gateways[0].GetJSON(ct, "/api/v1/agents?limit=1&status=online&label=env=prod", &l) {
			assert.Equal(ct, large, l.Total)
		}
	}, 3*patience, time.Second)
	b := browse(t)
	b.open(c.gateways[0].URL("/"))
	b.sees("10,000 agents")
	nodes := func() int { return eval[int](b, `document.querySelectorAll("*").length`) }
	t.Logf("%d nodes in the page", nodes())
	assert.Less(t, nodes(), 1500)

	ids := eval[[]string](b, `fetch("api/v1/agents?view=compact&limit=20000").then((r) => r.json()).then(({ rows }) => rows.map((r) => r[0]))`)
	assert.Len(t, ids, large)
	slowest := `new Promise((done) => { let last = performance.now(), worst = 0, left = 200; const list = document.querySelector(".list"); const step = list.scrollHeight / left;
		const tick = (now) => { worst = Math.max(worst, now - last); last = now; list.scrollTop += step; if (--left) requestAnimationFrame(tick); else done(worst); }; requestAnimationFrame(tick); })`
	t.Logf("200 steps from the first to the last agent, the slowest frame took %.0f ms", eval[float64](b, slowest))
	b.is(row(ids[large-1]))
	assert.Less(t, nodes(), 1500)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".list").scrollTop = document.querySelector(".list").scrollHeight / 2`))
	b.is(row(ids[large/2]))

	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".list").focus()`))
	b.press(kb.Home)
	b.is(row(ids[0]))
	b.press(kb.End)
	b.is(row(ids[large-1]) + `?.classList.contains("active")`)
	b.write("#search", ids[4321])
	b.sees("1 of 10,000")
	b.is(row(ids[4321]))
	typed := `new Promise((done) => { const s = document.querySelector("#search"), t = performance.now(); s.value = "env=prod"; s.dispatchEvent(new Event("input"));
		requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t))); })`
	t.Logf("a filter that all pass is drawn after %.0f ms", eval[float64](b, typed))
	b.sees("10,000 agents")
}
