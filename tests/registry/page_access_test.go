package registry

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
)

// pageKeyboard uses no pointer.
func pageKeyboard(t *testing.T, c *cluster, b *browser, agents []*agent) {
	b.open(at(c, "#/agents"))
	b.press("/")
	b.is(`document.activeElement.id === "search"`)
	for _, key := range "edge-iad" {
		b.press(string(key))
	}
	b.sees("8 of 48")
	b.press(kb.ArrowDown)
	b.is(`document.activeElement.getAttribute("role") === "grid"`)
	b.press(kb.ArrowDown, "j", "k")
	active := `document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))`
	b.is(active + `?.querySelector(".id").textContent === "edge-iad-02-10-21-4-12"`)
	b.is(`getComputedStyle(` + active + `).outlineStyle === "solid"`)
	b.press(kb.Enter)
	b.is(`location.hash === "#/agents/edge-iad-02-10-21-4-12"`)
	b.sees("online since")
	reach := func(text string) {
		for range 40 {
			b.press(kb.Tab)
			if eval[bool](b, fmt.Sprintf("document.activeElement.innerText?.startsWith(%q)", text)) {
				assert.Equal(t, "solid", eval[string](b, "getComputedStyle(document.activeElement).outlineStyle"), "the focus is seen")
				return
			}
		}
		t.Fatalf("%q is not reached with the tab key", text)
	}
	reach("Reload")
	b.press(kb.Enter)
	b.is(`document.querySelector("dialog[open]")?.contains(document.activeElement)`)
	b.press(kb.Enter)
	a := find(agents, "edge-iad-02-10-21-4-12")
	a.result(takes(t, a).CommandId, true, "")
	b.is(`document.querySelector(".commands li.is-succeeded")`)
	for key, text := range map[string]string{"d": "A baseline says", "g": "gateways live", "h": "newest first", "a": "48 agents"} {
		b.press("g", key)
		b.sees(text)
	}
	b.press("?")
	b.sees("Keyboard")
	b.press(kb.Escape)
	b.is(`!document.querySelector("dialog")`)
}

func find(agents []*agent, id string) *agent {
	for _, a := range agents {
		if a.id == id {
			return a
		}
	}
	return nil
}

// pagePhone: no view is wider than a phone, and what people press is large enough.
func pagePhone(t *testing.T, c *cluster, b *browser, agents []*agent) {
	b.size(390, 844, chromedp.EmulateMobile)
	defer b.size(1440, 900)
	for _, hash := range []string{"#/agents", agentHash(agents[3].id), "#/drift", "#/gateways", "#/activity"} {
		b.open(at(c, hash))
		b.is(`document.querySelector("main").innerText.length > 50`)
		assert.LessOrEqual(t, eval[int](b, "document.documentElement.scrollWidth"), 390, hash)
	}
	b.open(at(c, "#/agents"))
	b.is(row("app-fra-01-10-20-3-11") + `?.getBoundingClientRect().height >= 44`)
}

func pageThemes(t *testing.T, c *cluster, b *browser, _ []*agent) {
	ground := "getComputedStyle(document.body).backgroundColor"
	b.prefers("prefers-color-scheme", "dark")
	b.open(at(c, "#/gateways"))
	dark := eval[string](b, ground)
	b.prefers("prefers-color-scheme", "light")
	light := eval[string](b, ground)
	assert.NotEqual(t, dark, light)
	b.press("t", "t") // as the system, light, dark
	assert.Equal(t, dark, eval[string](b, ground))
	b.open(at(c, "#/gateways"))
	assert.Equal(t, dark, eval[string](b, ground), "the choice is kept")
	b.press("t")
	assert.Equal(t, light, eval[string](b, ground))
	b.is("document.getAnimations().length > 0")
	b.prefers("prefers-reduced-motion", "reduce")
	b.is("document.getAnimations().length === 0")
	b.prefers("prefers-reduced-motion", "no-preference")
}
