package registry

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// TestPageOfAnEmptyFleet: what to do first, and, read-only, why nothing can be done.
func TestPageOfAnEmptyFleet(t *testing.T) {
	t.Parallel()
	c := prepare(t, 1, "--set=extensions::agent_registry::control=auth")
	c.start()
	b := browse(t)
	b.open(at(c, ""))
	b.sees("Waiting for the first agent")
	b.sees("127.0.0.1:5020")
	answer, err := http.Get(c.gateways[0].URL("/"))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"} {
		assert.Equal(t, value, answer.Header.Get(name), name)
	}
	assert.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'")

	a := newAgent(t, "web-1-10-0-0-1")
	a.join(c.gateways[0].AgentAddr())
	b.is(row(a.id))
	b.open(at(c, agentHash(a.id)))
	b.sees("this gateway is read-only because nobody has to say who they are: configure `http.auth`")
	b.is(`document.querySelectorAll(".actions .button").length > 4 && [...document.querySelectorAll(".actions .button")].every((e) => e.ariaDisabled === "true" && e.title.includes("read-only"))`)
	b.click("Reload…")
	b.is(`!document.querySelector("dialog") && document.querySelector(".toast.bad")?.innerText.includes("read-only")`)
}

const hostile = `"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>'; DROP TABLE agents; --` + "\x1b[2J\u202e\u2066{{7*7}}${7*7}javascript:alert(1)"

// TestPageOfHostileAgents: whatever an agent says is text.
func TestPageOfHostileAgents(t *testing.T) {
	t.Parallel()
	c := prepare(t, 1)
	c.start()
	id, _, _ := strings.Cut(hostile, "\x1b") // the receiver takes printable ids only
	a := newAgent(t, id)
	a.state = &agentv1.StateSnapshot{ConfigHash: hostile, ConfigHashes: &agentv1.ConfigHashes{
		MainConfHash: hostile, SiteConfigs: []*agentv1.FileHash{{Path: hostile, Hash: hostile}},
		Certificates: []*agentv1.CertHashInfo{{Domain: hostile, CertPath: hostile, CertHash: hostile, Issuer: hostile, ExpiryTimestamp: time.Now().Add(time.Hour).Unix()}},
	}}
	a.version = hostile
	a.dress = func(h *agentv1.Heartbeat) {
		h.Hostname, h.Version, h.BuildDate, h.GitBranch, h.GitCommit, h.PodIp, h.MgmtAddress = hostile, hostile, hostile, hostile, hostile, hostile, hostile
		h.IsPod, h.MgmtAddressCandidates, h.Labels = true, []string{hostile}, map[string]string{hostile: hostile, "__proto__": hostile, "constructor": "x"}
		h.Instances = []*agentv1.NginxInstance{{Pid: hostile, Version: hostile, ConfPath: hostile, Status: hostile}}
	}
	a.join(c.gateways[0].AgentAddr())
	everywhere(t, c.gateways, "label=constructor=x", 1, patience)
	require.Equal(t, http.StatusOK, call(t, c.gateways[0], http.MethodPut, "/api/v1/baselines/b", `{"labels":{},"files":[{"kind":"main","path":"nginx.conf","hash":"x"}]}`, nil))
	b := browse(t)
	b.open(at(c, ""))
	b.is(`document.querySelector(".rows .id")?.textContent.startsWith('"><img')`)
	b.is(`document.querySelector(".rows .host")?.textContent.includes("\u241b[2J\ufffd\ufffd{{7*7}}")`)
	b.click("Labels")
	b.click(`"><img`)
	b.sees("1 agent")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".rows .row").click()`))
	b.sees("online since")
	b.sees("differs from its baseline")
	a.write(&agentv1.LogEntry{Timestamp: time.Now().Unix(), LogType: "access", Content: hostile})
	time.Sleep(2 * time.Second)
	b.click("Follow log")
	b.is(`document.querySelector(".lines .whole")?.textContent.startsWith('"><img')`)
	b.click("Reload…")
	b.click("Reload")
	a.result(takes(t, a).CommandId, false, hostile)
	b.is(`document.querySelector(".commands .result")?.textContent.startsWith('"><img')`)
	for _, hash := range []string{"#/drift", "#/activity", "#/gateways"} {
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("location.hash = %q", hash)))
		b.is(`document.querySelector("main").innerText.length > 40`)
	}
	assert.Equal(t, "undefined", eval[string](b, "typeof globalThis.pwned"))
	assert.Zero(t, eval[int](b, `document.querySelectorAll("img, iframe, object, main script").length`))
	b.allow(func(string) bool { return true }) // the policy complains about what follows, as it should
	b.do(chromedp.Evaluate[chromedp.Void](`try { document.body.innerHTML = "<img src=x onerror=globalThis.pwned=1>" } catch {}`))
	assert.Equal(t, "undefined", eval[string](b, "typeof globalThis.pwned"))
}

// TestPageAsksWhoYouAre: with authentication, and agents that wait for approval.
func TestPageAsksWhoYouAre(t *testing.T) {
	t.Parallel()
	c := prepare(t, 1, "--set=extensions::bearertokenauth::token=right", "--set=service::extensions=[file_storage,bearertokenauth,agent_registry,healthcheckv2]",
		"--set=extensions::agent_registry::http::auth::authenticator=bearertokenauth", "--set=extensions::agent_registry::control=auth", "--set=extensions::agent_registry::enrolment=approval")
	c.start()
	agents := []*agent{newAgent(t, "web-1"), newAgent(t, "web-2"), newAgent(t, "web-3")}
	for _, a := range agents {
		ended(t, a.join(c.gateways[0].AgentAddr()))
	}
	b := browse(t)
	b.allow(func(problem string) bool { return strings.Contains(problem, "401") })
	b.do(chromedp.Navigate(c.gateways[0].URL("/")))
	b.sees("Who are you?")
	b.write("dialog input", "wrong")
	b.click("Go on")
	b.sees("does not know this token")
	b.write("dialog input", "right")
	b.click("Go on")
	b.is(`document.querySelector(".pill").dataset.phase === "live"`)
	b.sees("3 agents")
	b.click("Waiting for approval")
	b.click("Approve all shown…")
	b.click("Approve all")
	b.sees("No agent matches")
	b.click("Show all agents")
	for _, a := range agents {
		a.join(c.gateways[0].AgentAddr())
	}
	b.is(`document.querySelectorAll(".rows .row[data-status=online]").length === 3`)
	assert.NotContains(t, eval[string](b, "JSON.stringify({ ...localStorage })"), "right")
}
