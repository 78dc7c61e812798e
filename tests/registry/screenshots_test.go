//go:build screenshots

package registry

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestScreenshots makes docs/images anew: `make screenshots`. With the fonts Inter and JetBrains Mono installed it looks as on
// most desktops.
func TestScreenshots(t *testing.T) {
	c := prepare(t, 3)
	c.start()
	agents := demoAgents(t)
	for i, a := range agents {
		a.join(c.gateways[i%3].AgentAddr())
	}
	everywhere(t, c.gateways, "status=online&label=env=prod", len(agents), patience)
	put := func(name, body string) {
		require.Equal(t, http.StatusOK, call(t, c.gateways[0], http.MethodPut, "/api/v1/baselines/"+name, body, nil))
	}
	put("edges", `{"labels":{"role":"edge"},"record":"edge-fra-01-10-20-4-11"}`)
	put("applications", `{"labels":{"role":"app"},"reference":"app-fra-01-10-20-3-11"}`)
	revoked := find(agents, "cache-sin-03-10-22-5-13")
	require.Equal(t, http.StatusOK, call(t, c.gateways[0], http.MethodPost, "/api/v1/agents/"+revoked.id+"/revoke", `{"reason":"taken out of service"}`, nil))
	agents[9].leave()
	shown := agents[3]
	for _, command := range []struct {
		body    string
		success bool
		text    string
	}{{`{"type":"reload"}`, true, ""}, {`{"type":"restart"}`, false, "nginx: [emerg] bind() to 0.0.0.0:443 failed (98: Address already in use)"}, {`{"type":"reload"}`, true, ""}} {
		made := ask(t, c.gateways[1], shown.id, command.body)
		takes(t, shown)
		shown.result(made.ID, command.success, command.text)
		becomes(t, c.gateways[0], made.ID, map[bool]string{true: "succeeded", false: "failed"}[command.success])
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(150 * time.Millisecond):
				shown.browsing(n)
			}
		}
	}()
	time.Sleep(65 * time.Second) // until the agents' recent rates are full

	b := browse(t)
	for _, picture := range []struct {
		name, hash, scheme string
		width, height      int64
		settle             time.Duration
	}{
		{"fleet", "#/agents", "light", 1360, 850, time.Second},
		{"fleet-dark", "#/agents?q=role%3Dedge&sort=-rate", "dark", 1360, 850, time.Second},
		{"agent", agentHash(shown.id) + "?tail=access", "light", 1360, 1180, 6 * time.Second},
		{"gateways", "#/gateways", "dark", 1360, 560, time.Second},
		{"drift", "#/drift", "light", 1360, 760, time.Second},
		{"phone", "#/agents", "light", 390, 844, time.Second},
		{"phone-agent", agentHash(shown.id), "dark", 390, 844, time.Second},
	} {
		var options []chromedp.EmulateViewportOption
		if picture.width < 500 {
			options = append(options, chromedp.EmulateMobile)
		}
		b.size(picture.width, picture.height, options...)
		b.prefers("prefers-color-scheme", picture.scheme)
		b.open(at(c, picture.hash))
		time.Sleep(picture.settle)
		content, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(harness.Root(t), "docs", "images", picture.name+".png"), content, 0o600))
	}
}
