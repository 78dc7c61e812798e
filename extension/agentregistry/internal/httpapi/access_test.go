package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
)

// changes are all requests that change something or reach an agent.
func changes(g *gateway) map[string]string {
	return map[string]string{
		g.url + "/api/v1/agents/a":          "DELETE",
		g.url + "/api/v1/agents/a/approve":  "POST",
		g.url + "/api/v1/agents/a/revoke":   "POST",
		g.url + "/api/v1/agents/a/commands": "POST",
		g.url + "/api/v1/agents/a/logs":     "GET",
		g.url + "/api/v1/baselines/b":       "PUT",
		g.url + "/api/v1/baselines/c":       "DELETE",
	}
}

func TestReadOnlyUnlessSomebodyHasToSayWhoTheyAre(t *testing.T) {
	doc := loadSpec(t)
	for _, mode := range []string{ControlAuth, ControlOff} {
		g := one(t, func(s *Settings) { s.Control = mode })
		g.connect(t, "a")
		for target, method := range changes(g) {
			answer, body := call(t, doc, method, target, "{}")
			assert.Equal(t, http.StatusForbidden, answer.StatusCode, target)
			assert.Equal(t, "urn:avika:problem:control-disabled", body["type"])
			assert.Contains(t, body["detail"], "control")
		}
		_, status := call(t, doc, "GET", g.url+"/api/v1/status", "")
		assert.Equal(t, false, status["control"].(map[string]any)["enabled"])
		answer, _ := call(t, doc, "GET", g.url+"/api/v1/agents/a", "")
		assert.Equal(t, http.StatusOK, answer.StatusCode)
	}
}

func TestForeignPagesControlNothing(t *testing.T) {
	g := one(t, nil)
	g.connect(t, "a")
	for target, method := range changes(g) {
		answer, body := call(t, nil, method, target, "{}", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		assert.Equal(t, http.StatusForbidden, answer.StatusCode, target)
		assert.Equal(t, "urn:avika:problem:cross-origin", body["type"])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, g.url+"/api/v1/agents/a", nil)
	require.NoError(t, err)
	request.Host = "rebound.example:5021"
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusForbidden, answer.StatusCode, "a foreign name that points here")
}

func TestForeignPagesReadNothing(t *testing.T) {
	g := one(t, nil)
	for _, path := range []string{"/api/v1/agents", "/api/v1/events?activity=false", "/health"} {
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+path, nil)
		require.NoError(t, err)
		request.Header.Set("Origin", "https://evil.example")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		cancel()
		_ = answer.Body.Close() // the stream of events was cut
		assert.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"), path)
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			assert.Equal(t, value, answer.Header.Get(name), path)
		}
	}
	preflight, _ := call(t, nil, http.MethodOptions, g.url+"/api/v1/agents/a", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "DELETE")
	assert.Empty(t, preflight.Header.Get("Access-Control-Allow-Methods"))
	assert.GreaterOrEqual(t, preflight.StatusCode, http.StatusBadRequest)
}

type identity struct{ subject string }

func (i identity) GetAttribute(name string) any {
	if name == "subject" {
		return i.subject
	}
	return nil
}

func (identity) GetAttributeNames() []string { return []string{"subject"} }

func withAuth(s *Settings) {
	s.Control = ControlAuth
	s.Authenticate = func(ctx context.Context, headers map[string][]string) (context.Context, error) {
		if got := headers["Authorization"]; len(got) != 1 || got[0] != "Bearer good" {
			return ctx, errors.New("no")
		}
		return client.NewContext(ctx, client.Info{Auth: identity{"ann"}}), nil
	}
}

func TestAuthentication(t *testing.T) {
	doc := loadSpec(t)
	g := one(t, withAuth)
	g.connect(t, "a")
	for _, path := range []string{"/api/v1/agents", "/api/v1/events", "/api/v1/openapi.yaml", "/api/v1/nothing"} {
		answer, _ := call(t, nil, "GET", g.url+path, "", "Authorization", "Bearer bad")
		assert.Equal(t, http.StatusUnauthorized, answer.StatusCode, path)
		assert.NotEmpty(t, answer.Header.Get("WWW-Authenticate"))
	}
	for _, path := range []string{"/health", "/ready"} {
		answer, _ := call(t, doc, "GET", g.url+path, "")
		assert.Equal(t, http.StatusOK, answer.StatusCode, path)
	}
	answer, body := call(t, doc, "POST", g.url+"/api/v1/agents/a/commands", `{"type":"reload"}`, "Authorization", "Bearer good")
	assert.Equal(t, http.StatusAccepted, answer.StatusCode)
	assert.Equal(t, "ann", body["requested_by"])
	_, body = call(t, doc, "POST", g.url+"/api/v1/agents/a/revoke", "", "Authorization", "Bearer good")
	assert.Equal(t, "ann", body["decision"].(map[string]any)["by"])
}
