package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// TestPage uses the fleet page as people do, in a real Chromium, on three gateways.
func TestPage(t *testing.T) {
	t.Parallel()
	c := prepare(t, 3, "--set=extensions::agent_registry::flush_interval=1s")
	c.start()
	agents := demoAgents(t)
	for i, a := range agents {
		a.join(c.gateways[i%3].AgentAddr())
	}
	everywhere(t, c.gateways, "status=online&label=env=prod", len(agents), patience)
	b := browse(t)
	b.open(c.gateways[0].URL("/"))
	for _, step := range []struct {
		name string
		run  func(*testing.T, *cluster, *browser, []*agent)
	}{
		{"list", pageList},
		{"live", pageLive},
		{"agent", pageAgent},
		{"commands", pageCommands},
		{"log tail", pageLogTail},
		{"decisions", pageDecisions},
		{"drift", pageDrift},
		{"activity", pageActivity},
		{"keyboard", pageKeyboard},
		{"phone", pagePhone},
		{"themes", pageThemes},
		{"gateway lost", pageGatewayLost},
		{"PostgreSQL away", pageDatabaseAway},
		{"gateway away", pageDisconnected},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, c, b.with(t), agents) }) {
			b.keepPicture()
			return
		}
	}
}

// at is the address of a view of the first gateway's page.
func at(c *cluster, hash string) string { return c.gateways[0].URL("/" + hash) }

func agentHash(id string) string { return "#/agents/" + id }

// row is the list's row of an agent, if it is in sight.
func row(id string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".rows .row:not([hidden])")].find((r) => r.querySelector(".id").textContent === %q)`, id)
}

func pageList(t *testing.T, c *cluster, b *browser, agents []*agent) {
	b.sees("48 agents")
	b.sees("of 48 agents online")
	b.write("#search", "role=cache site!=iad")
	b.sees("6 of 48")
	b.is(`location.hash.includes("q=role")`)
	b.write("#search", "EDGE-fra-03")
	b.sees("1 of 48")
	b.is(row("edge-fra-03-10-20-4-13"))
	b.click("All")
	b.sees("48 agents")

	b.click("Labels")
	b.click("sin")
	b.sees("16 of 48")
	b.click("iad")
	b.sees("No agent matches")
	b.click("Show all agents")
	b.sees("48 agents")

	b.open(at(c, "#/agents?q=role%3Dedge+site%3Dsin&sort=-rate"))
	b.sees("8 of 48")
	b.is(`document.querySelector("[aria-sort=descending]")?.innerText.startsWith("Requests")`)
	numbers := `[...document.querySelectorAll(".rows .row:not([hidden])")].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((r) => Number(r.querySelector(".number").textContent.replaceAll(",", "")))`
	b.is(numbers + `.every((n, i, all) => i === 0 || n <= all[i - 1])`)
	b.is(`document.querySelectorAll(".rows .row:not([hidden]) .spark-line[d^=M]").length > 2`)
	b.is(`document.querySelector(".overview .spark-line")?.getAttribute("d")?.length > 10`)
	b.click("NGINX")
	b.is(`document.querySelector("[aria-sort=ascending]")?.innerText.startsWith("NGINX")`)
	assert.Len(t, agents, 48)
}

// pageLive: without a reload, an agent that goes is offline and one that comes back is online.
func pageLive(_ *testing.T, c *cluster, b *browser, agents []*agent) {
	b.open(at(c, "#/agents?q=role%3Dedge"))
	b.do(chromedp.Evaluate[chromedp.Void]("globalThis.stays = true"))
	a := agents[1]
	b.is(row(a.id)+"?.dataset.status === %q", "online")
	a.leave()
	b.is(row(a.id)+"?.dataset.status === %q", "offline")
	b.sees("47\nof 48 agents online")
	a.join(c.gateways[2].AgentAddr())
	b.is(row(a.id)+"?.dataset.status === %q", "online")
	b.is(row(a.id) + `?.innerText.includes("gateway-2")`)
	b.is("globalThis.stays")
}

func pageAgent(_ *testing.T, c *cluster, b *browser, agents []*agent) {
	a := agents[5]
	b.open(at(c, "#/agents"))
	b.write("#search", a.id)
	b.is(row(a.id))
	b.do(chromedp.Evaluate[chromedp.Void](row(a.id) + ".click()"))
	for _, text := range []string{
		a.id, "edge-fra-06", "online since", "on gateway-2", "last seen", "127.0.0.1:", "10.20.4.16:5025", "1.28.0", "1.110", "9f31c2a", "2026-03-02",
		"role\nedge", "no. ", "not authenticated", "approved", "host", "/etc/nginx/conf.d/edge.conf", "/etc/nginx/nginx.conf", "RUNNING", "no baseline applies",
		"shop.example", "8 days left", "Example CA R3", "enrolled", "configuration changed", "No command has been given", "requests/s",
	} {
		b.sees(text)
	}
	b.press("]")
	b.sees("edge-fra-07")
	b.press("[")
	b.press(kb.Escape)
	b.sees("48 agents")
}

func pageCommands(t *testing.T, c *cluster, b *browser, agents []*agent) {
	a := agents[1] // at the third gateway, asked through the first
	b.open(at(c, agentHash(a.id)))
	b.click("Reload…")
	b.sees("Reload NGINX on " + a.id + "?")
	b.sees("Connections go on.")
	b.click("Cancel")
	b.is(`!document.querySelector("dialog")`)
	b.sees("No command has been given")
	b.click("Reload…")
	b.click("Reload")
	received := takes(t, a)
	b.sees("sent, no result yet")
	a.result(received.CommandId, true, "")
	b.is(`document.querySelector(".commands li.is-succeeded")?.innerText.startsWith("Reload")`)

	b.click("Restart…")
	b.click("Restart")
	a.result(takes(t, a).CommandId, false, "nginx: [emerg] bind() <b>failed</b>")
	b.is(`document.querySelector(".commands li.is-failed .result")?.innerText === "nginx: [emerg] bind() <b>failed</b>"`)

	b.click("Update…")
	b.write("dialog input", "1.111")
	b.write("dialog input[type=url]", "https://updates.example/avika")
	b.click("Update")
	assert.Equal(t, "https://updates.example/avika", takes(t, a).GetUpdate().GetUpdateUrl())
	a.leave()
	a.version = "1.111"
	a.join(c.gateways[2].AgentAddr())
	b.is(`[...document.querySelectorAll(".commands li.is-succeeded")].some((li) => li.innerText.startsWith("Update"))`)
	b.sees("1.111")

	b.click("Push configuration…")
	b.write("dialog [name=name]", "conf.d/a.conf")
	b.write("dialog [name=content]", "# nothing")
	b.click("Push")
	assert.Equal(t, "# nothing", string(takes(t, a).GetConfigPush().GetFiles()["conf.d/a.conf"]))
}

// takes returns the next command but for log requests.
func takes(t *testing.T, a *agent) *agentv1.ServerCommand {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case received := <-a.commands:
			if received.GetLogRequest() == nil {
				return received
			}
		case <-deadline:
			t.Fatal("no command came")
		}
	}
}

func pageLogTail(_ *testing.T, c *cluster, b *browser, agents []*agent) {
	a := agents[2]
	for n := range 30 {
		a.browsing(n)
	}
	time.Sleep(2 * time.Second) // the next lines are of another second
	b.open(at(c, agentHash(a.id)))
	b.press("l")
	b.sees("live from gateway-2")
	b.is(`document.querySelectorAll(".lines li").length === 20`)
	for n := range 10 {
		a.browsing(100 + n)
	}
	b.is(`document.querySelectorAll(".lines li").length === 30`)
	b.is(`document.querySelectorAll(".lines li.bad .st").length > 0`)
	b.is(`location.hash.includes("tail=access")`)
	b.write(".tail-bar input[type=search]", "198.51.100.105")
	b.is(`document.querySelectorAll(".lines li:not([hidden])").length === 1`)
	b.click("Stop")
	b.sees("Stopped.")
}

func pageDecisions(t *testing.T, c *cluster, b *browser, agents []*agent) {
	a := agents[7]
	stream := a.stream
	b.open(at(c, agentHash(a.id)))
	b.click("Revoke…")
	b.write("dialog input", "<i>stolen</i>")
	b.click("Revoke")
	ended(t, stream)
	b.sees("revoked by anonymous at 127.0.0.1")
	b.sees("<i>stolen</i>")
	b.is(`document.querySelector(".actions .button[aria-disabled]")?.title.includes("approve it first")`)
	b.click("Approve…")
	b.click("Approve")
	b.sees("approved by anonymous")
	b.click("Delete…")
	b.click("Delete")
	b.sees("47 agents")
	a.join(c.gateways[0].AgentAddr())
	b.sees("48 agents")
}

func pageDrift(_ *testing.T, c *cluster, b *browser, agents []*agent) {
	b.open(at(c, "#/drift"))
	b.sees("There is no baseline yet.")
	b.click("New baseline…")
	b.write("dialog input", "edges")
	b.write("dialog label:nth-of-type(2) input", "role=edge")
	b.write("dialog input[list]", agents[0].id)
	b.click("Create")
	b.sees("2 agents of 24 differ")
	b.sees(agents[3].id)
	b.sees("/etc/nginx/conf.d/edge.conf")
	b.sees("differs")
	b.open(at(c, agentHash(agents[3].id)))
	b.sees("differs from its baseline")
	b.is(`document.querySelector(".differences")?.innerText.includes("/etc/nginx/conf.d/edge.conf")`)
	b.open(at(c, "#/agents?q=drift%3Adrifted"))
	b.sees("2 of 48")
}

func pageActivity(_ *testing.T, c *cluster, b *browser, agents []*agent) {
	b.open(at(c, "#/activity"))
	b.sees("revoked by anonymous at 127.0.0.1")
	b.is(`document.querySelectorAll(".history li").length === 50`)
	b.click("Earlier")
	b.is(`document.querySelectorAll(".history li").length === 100`)
	agents[30].leave()
	b.is(`document.querySelector(".history li")?.innerText.includes(%q)`, agents[30].id)
	agents[30].join(c.gateways[0].AgentAddr())
}
