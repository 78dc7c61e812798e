package registry

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func pageGatewayLost(_ *testing.T, c *cluster, b *browser, _ []*agent) {
	b.open(at(c, "#/gateways"))
	b.sees("3 gateways live")
	b.is(`document.querySelectorAll(".gateway.is-live").length === 3`)
	b.is(`[...document.querySelectorAll(".gauge[aria-label=Lease]")].every((g) => Number(g.getAttribute("aria-valuenow")) > 0)`)
	c.gateways[2].Kill()
	b.is(`document.querySelector(".gateway.is-lost")?.innerText.includes("ran out")`)
	b.press("g", "a")
	b.click("Offline")
	b.is(`document.querySelector(".rows .row:not([hidden])")?.dataset.status === "offline"`)
}

func pageDatabaseAway(t *testing.T, c *cluster, b *browser, _ []*agent) {
	b.open(at(c, "#/agents"))
	require.NoError(t, c.pg.Shutdown())
	b.sees("PostgreSQL is away")
	b.sees("Agents stay connected and their data flows.")
	require.NoError(t, c.pg.Restart(t.Context()))
	b.is(`!document.body.innerText.includes("PostgreSQL is away")`)
}

func pageDisconnected(_ *testing.T, c *cluster, b *browser, _ []*agent) {
	b.open(at(c, "#/agents"))
	b.do(chromedp.Evaluate[chromedp.Void]("globalThis.stays = true"))
	b.allow(func(problem string) bool {
		return strings.Contains(problem, "ERR_CONNECTION") || strings.Contains(problem, "ERR_INCOMPLETE_CHUNKED_ENCODING")
	})
	c.gateways[0].Kill()
	b.sees("The gateway does not answer.")
	b.sees("48 agents")
	c.gateways[0].Start()
	b.is(`document.querySelector(".pill").dataset.phase === "live"`)
	b.is("globalThis.stays")
}
