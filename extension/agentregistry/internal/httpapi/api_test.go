package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/embedded"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	soon = 30 * time.Second
	tick = 10 * time.Millisecond
)

// gateway is a fleet with its HTTP server.
type gateway struct {
	fleet *fleet.Fleet
	url   string
}

// serve starts a gateway on a store.
func serve(t *testing.T, s store.Store, id string, change func(*Settings)) *gateway {
	t.Helper()
	stopping := make(chan struct{})
	server := httptest.NewUnstartedServer(nil)
	f := fleet.New(fleet.Settings{
		GatewayID: id, Address: "http://" + server.Listener.Addr().String(), Version: "1.0", Lease: time.Minute, Renew: 200 * time.Millisecond,
		FlushInterval: 200 * time.Millisecond, SweepInterval: 200 * time.Millisecond, OperationTimeout: 5 * time.Second, CommandExpiry: time.Minute,
		Policy: store.SweepPolicy{Confirm: time.Minute, ConfirmUpdate: time.Minute},
	}, s, zaptest.NewLogger(t), func(fleet.Database) {}, func() store.Load { return store.Load{} })
	settings := Settings{
		Ready:     func() bool { return true },
		GatewayID: id, Version: "1.0", Commit: "abc", BuildDate: "2026-01-01T00:00:00Z", Backend: "embedded", Enrolment: "auto",
		Started: time.Now(), Control: ControlOpen, Peers: &http.Client{Transport: &http.Transport{}},
	}
	if change != nil {
		change(&settings)
	}
	server.Config.Handler = New(settings, f, s, zaptest.NewLogger(t), stopping)
	server.Start()
	f.Start()
	t.Cleanup(func() {
		close(stopping)
		assert.NoError(t, f.Shutdown(context.Background()))
		settings.Peers.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	return &gateway{fleet: f, url: server.URL}
}

func one(t *testing.T, change func(*Settings)) *gateway {
	t.Helper()
	return serve(t, embedded.New(), "gateway-1", change)
}

func (g *gateway) connect(t *testing.T, id string) agentsession.Session {
	t.Helper()
	s, err := g.fleet.Open(t.Context(), agentsession.Peer{AgentID: id, Address: "192.0.2.7:4000", Authentication: agentsession.AuthenticationPSK})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.Heartbeat(time.Now(), &agentv1.Heartbeat{
		Hostname: "host of " + id, Version: "1.24.0", Uptime: 100, AgentVersion: "1.110", Labels: map[string]string{"env": "prod", "html": "<b>"},
		Instances: []*agentv1.NginxInstance{{Pid: "1", Version: "1.24.0", ConfPath: "/etc/nginx/nginx.conf", Status: "RUNNING"}},
	})
	s.State(time.Now(), &agentv1.StateSnapshot{ConfigHash: "c-" + id, ConfigHashes: &agentv1.ConfigHashes{
		MainConfHash: "m", SiteConfigs: []*agentv1.FileHash{{Path: "/etc/nginx/a.conf", Hash: "site of " + id, Size: 5, ModifiedAt: 1_700_000_000}},
		Certificates: []*agentv1.CertHashInfo{{Domain: "a.example", CertPath: "/a.pem", CertHash: "h", ExpiryTimestamp: 1_900_000_000}}, ComputedAt: 1_700_000_000,
	}})
	require.Eventually(t, func() bool {
		state, _ := g.fleet.Get(id)
		return state.Live.Session != 0
	}, soon, tick)
	return s
}

// call sends a request, and checks the answer against the document when there is one.
func call(t *testing.T, s *spec, method, target, body string, headers ...string) (*http.Response, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	var value map[string]any
	if strings.Contains(answer.Header.Get("Content-Type"), "json") {
		require.NoError(t, json.Unmarshal(text, &value), "%s", text)
	}
	if s != nil {
		where, err := url.Parse(target)
		require.NoError(t, err)
		require.NoError(t, s.check(method, where.EscapedPath(), answer, any(value)), "%s", text)
	}
	return answer, value
}

func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	doc := loadSpec(t)
	g := one(t, nil)
	session := g.connect(t, "web-1-192-0-2-7")
	g.connect(t, "web-2")
	session.Metrics(time.Now(), 1)
	session.Metrics(time.Now().Add(5*time.Second), 501)
	require.Eventually(t, func() bool {
		state, _ := g.fleet.Get("web-1-192-0-2-7")
		_, ok := state.Rate()
		return ok && g.fleet.Count().Online == 2
	}, soon, tick)
	agent := "/api/v1/agents/web-1-192-0-2-7"
	for _, request := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/health", "", 200},
		{"GET", "/ready", "", 200},
		{"GET", "/api/v1/openapi.yaml", "", 200},
		{"GET", "/api/v1/status", "", 200},
		{"GET", "/api/v1/agents?label=env=prod&label=html&status=online&text=web&sort=-rate&limit=5&offset=0&approval=approved&drift=none&gateway=gateway-1", "", 200},
		{"GET", "/api/v1/agents?view=compact", "", 200},
		{"GET", "/api/v1/agents?sort=colour", "", 400},
		{"GET", "/api/v1/agents?status=asleep", "", 400},
		{"GET", "/api/v1/agents?limit=0", "", 400},
		{"GET", "/api/v1/agents?offset=-1", "", 400},
		{"GET", "/api/v1/agents?label==x", "", 400},
		{"GET", "/api/v1/agents?view=large", "", 400},
		{"GET", agent, "", 200},
		{"GET", "/api/v1/agents/web-1+192.0.2.7", "", 200},
		{"GET", "/api/v1/agents/nobody", "", 404},
		{"POST", agent + "/commands", `{"type":"reload"}`, 202},
		{"POST", agent + "/commands", `{"type":"update","update":{"version":"1.111","url":"https://x.example/u"},"expires_in_seconds":60}`, 202},
		{"POST", agent + "/commands", `{"type":"config_push","config_push":{"version_id":"v","files":{"a.conf":"x"}}}`, 202},
		{"POST", agent + "/commands", `{"type":"log_request","log_request":{"log_type":"error","tail_lines":5}}`, 202},
		{"POST", agent + "/commands", `{"type":"explode"}`, 400},
		{"POST", agent + "/commands", `{"type":"update"}`, 400},
		{"POST", agent + "/commands", `{"type":"update","update":{"version":"1","url":"file:///etc/passwd"}}`, 400},
		{"POST", agent + "/commands", `{"type":"reload","update":{"version":"1","url":"https://x"}}`, 400},
		{"POST", agent + "/commands", `{"type":"reload","expires_in_seconds":0}`, 400},
		{"POST", agent + "/commands", `{"type":"config_push","config_push":{"version_id":"v","files":{}}}`, 400},
		{"POST", agent + "/commands", `{"type":"log_request","log_request":{"log_type":"x","tail_lines":5}}`, 400},
		{"POST", agent + "/commands", `{"type":"log_request","log_request":{"log_type":"error","tail_lines":5,"follow":true}}`, 400},
		{"POST", agent + "/commands", `{"type":"reload","colour":"red"}`, 400},
		{"POST", agent + "/commands", `{"type":"reload"} {}`, 400},
		{"POST", agent + "/commands", `no json`, 400},
		{"POST", "/api/v1/agents/nobody/commands", `{"type":"reload"}`, 404},
		{"GET", agent + "/commands?limit=2", "", 200},
		{"GET", agent + "/commands?limit=x", "", 400},
		{"GET", "/api/v1/agents/nobody/commands", "", 404},
		{"GET", "/api/v1/commands/nothing", "", 404},
		{"GET", agent + "/history", "", 200},
		{"GET", agent + "/history?limit=1", "", 200},
		{"GET", "/api/v1/history?limit=3&before=1000000000", "", 200},
		{"GET", "/api/v1/history?before=-4", "", 400},
		{"PUT", "/api/v1/baselines/all", `{"reference":"web-2"}`, 200},
		{"PUT", "/api/v1/baselines/recorded", `{"labels":{"env":"test"},"record":"web-2"}`, 200},
		{"PUT", "/api/v1/baselines/fixed", `{"agent":"other","files":[{"kind":"main","path":"nginx.conf","hash":"x"}]}`, 200},
		{"PUT", "/api/v1/baselines/none", `{"labels":{"env":"prod"}}`, 400},
		{"PUT", "/api/v1/baselines/both", `{"reference":"a","record":"b"}`, 400},
		{"PUT", "/api/v1/baselines/unknown", `{"record":"nobody"}`, 409},
		{"PUT", "/api/v1/baselines/kind", `{"files":[{"kind":"x","path":"p","hash":"h"}]}`, 400},
		{"PUT", "/api/v1/baselines/nul", `{"labels":{"a":"\u0000"},"reference":"x"}`, 400},
		{"GET", "/api/v1/baselines", "", 200},
		{"GET", "/api/v1/baselines/recorded", "", 200},
		{"GET", "/api/v1/baselines/nothing", "", 404},
		{"GET", "/api/v1/gateways", "", 200},
		{"POST", agent + "/approve", `{"reason":"known"}`, 200},
		{"POST", agent + "/approve", ``, 200},
		{"POST", "/api/v1/agents/nobody/approve", ``, 404},
		{"POST", agent + "/approve", `{"reason":"` + strings.Repeat("x", 2000) + `"}`, 400},
		{"POST", agent + "/approve", `{"reason":"\u0000"}`, 400},
		{"POST", agent + "/commands", `{"type":"update","update":{"version":"\u0000","url":"https://x"}}`, 400},
		{"GET", "/api/v1/agents/%00/history", "", 400},
		{"DELETE", "/api/v1/agents/%ff", "", 400},
		{"GET", "/api/v1/commands/%00", "", 400},
		{"GET", "/api/v1/agents/nobody/logs", "", 409},
		{"GET", agent + "/logs?type=x", "", 400},
	} {
		answer, body := call(t, doc, request.method, g.url+request.path, request.body)
		require.Equal(t, request.status, answer.StatusCode, "%s %s: %v", request.method, request.path, body)
		assert.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
	}
	checkDrift(t, doc, g)
	checkStreams(t, doc, g, session)
	_, list := call(t, doc, "GET", g.url+agent+"/commands", "")
	id := list["commands"].([]any)[0].(map[string]any)["id"].(string)
	call(t, doc, "GET", g.url+"/api/v1/commands/"+id, "")
	for path, status := range map[string]int{"/api/v1/baselines/all": 204, agent: 204} {
		for _, want := range []int{status, 404} {
			answer, _ := call(t, doc, "DELETE", g.url+path, "")
			assert.Equal(t, want, answer.StatusCode, path)
		}
	}
	answer, _ := call(t, doc, "POST", g.url+"/api/v1/agents/web-2/revoke", `{"reason":"lost"}`)
	assert.Equal(t, 200, answer.StatusCode)
	for _, operation := range doc.operations() {
		assert.True(t, doc.seen[operation], "%s was not tried", operation)
	}
}

func checkDrift(t *testing.T, doc *spec, g *gateway) {
	t.Helper()
	require.Eventually(t, func() bool { return g.fleet.Count().Drifted == 1 }, soon, tick)
	_, body := call(t, doc, "GET", g.url+"/api/v1/drift?label=env=prod&baseline=all", "")
	require.Len(t, body["agents"], 1)
	drifted := body["agents"].([]any)[0].(map[string]any)
	assert.Equal(t, "web-1-192-0-2-7", drifted["id"])
	assert.Equal(t, []any{map[string]any{
		"kind": "site", "path": "/etc/nginx/a.conf", "change": "modified", "expected": "site of web-2", "actual": "site of web-1-192-0-2-7",
	}}, drifted["files"])
	_, one := call(t, doc, "GET", g.url+"/api/v1/agents/web-1-192-0-2-7", "")
	assert.Equal(t, drifted["files"], one["differences"])
	_, body = call(t, doc, "GET", g.url+"/api/v1/drift?baseline=fixed", "")
	assert.Empty(t, body["agents"])
	_, body = call(t, doc, "GET", g.url+"/api/v1/agents?drift=drifted", "")
	assert.Len(t, body["agents"], 1)
}

func TestIdempotencyKey(t *testing.T) {
	doc := loadSpec(t)
	g := one(t, nil)
	g.connect(t, "a")
	target := g.url + "/api/v1/agents/a/commands"
	first, body := call(t, doc, "POST", target, `{"type":"reload"}`, "Idempotency-Key", "k")
	assert.Equal(t, http.StatusAccepted, first.StatusCode)
	assert.Equal(t, "/api/v1/commands/"+body["id"].(string), first.Header.Get("Location"))
	second, again := call(t, doc, "POST", target, `{"type":"reload"}`, "Idempotency-Key", "k")
	assert.Equal(t, http.StatusOK, second.StatusCode)
	assert.Equal(t, body["id"], again["id"])
	for _, other := range []string{`{"type":"restart"}`, `{"type":"update","update":{"version":"1","url":"https://x"}}`} {
		answer, problem := call(t, doc, "POST", target, other, "Idempotency-Key", "k")
		assert.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
		assert.Equal(t, "urn:avika:problem:idempotency-key-reused", problem["type"])
	}
	push := `{"type":"config_push","config_push":{"version_id":"v","files":{"a":"x","b":""}}}`
	for _, status := range []int{http.StatusAccepted, http.StatusOK} {
		answer, _ := call(t, doc, "POST", target, push, "Idempotency-Key", "push")
		assert.Equal(t, status, answer.StatusCode)
	}
	long, _ := call(t, doc, "POST", target, `{"type":"reload"}`, "Idempotency-Key", strings.Repeat("k", 129))
	assert.Equal(t, http.StatusBadRequest, long.StatusCode)
}

func TestCommandForAnAgentThatIsNotApproved(t *testing.T) {
	doc := loadSpec(t)
	g := one(t, nil)
	g.connect(t, "a")
	call(t, doc, "POST", g.url+"/api/v1/agents/a/revoke", "")
	answer, body := call(t, doc, "POST", g.url+"/api/v1/agents/a/commands", `{"type":"reload"}`)
	assert.Equal(t, http.StatusConflict, answer.StatusCode)
	assert.Equal(t, "urn:avika:problem:not-approved", body["type"])
}

func TestUnknownPathsAndHeaders(t *testing.T) {
	g := one(t, nil)
	answer, body := call(t, nil, "GET", g.url+"/api/v1/colours", "")
	assert.Equal(t, http.StatusNotFound, answer.StatusCode)
	assert.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	assert.Contains(t, body["detail"], "openapi")
	assert.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))
}

// Ids are any printable text; in a path they are escaped.
func TestIdsThatLookLikePaths(t *testing.T) {
	doc := loadSpec(t)
	g := one(t, nil)
	for _, id := range []string{"a/b", "../../etc", "a?b=c", "50%", "a#b", "ü \"<b>"} {
		g.connect(t, id)
		answer, body := call(t, doc, "GET", g.url+"/api/v1/agents/"+url.PathEscape(id), "")
		assert.Equal(t, http.StatusOK, answer.StatusCode, id)
		assert.Equal(t, id, body["id"])
		answer, _ = call(t, doc, "POST", g.url+"/api/v1/agents/"+url.PathEscape(id)+"/commands", `{"type":"reload"}`)
		assert.Equal(t, http.StatusAccepted, answer.StatusCode, id)
	}
}

func TestTextOfAgentsIsNeverMarkup(t *testing.T) {
	g := one(t, nil)
	g.connect(t, "a")
	answer, err := http.Get(g.url + "/api/v1/agents")
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.False(t, bytes.ContainsAny(text, "<>"))
}

// unavailable is a store that is away.
type unavailable struct{ store.Store }

func (unavailable) Join(context.Context, store.Gateway, time.Duration) (int64, error) {
	return 0, store.ErrUnavailable
}

func (unavailable) History(context.Context, string, int, int64) ([]store.Event, error) {
	return nil, store.ErrUnavailable
}

func (unavailable) Commands(context.Context, string, int) ([]store.Command, error) {
	return nil, store.ErrUnavailable
}

func (unavailable) Configs(context.Context, []string) (map[string]store.Config, error) {
	return nil, store.ErrUnavailable
}

func TestWhileTheDatabaseIsAway(t *testing.T) {
	doc := loadSpec(t)
	g := serve(t, unavailable{embedded.New()}, "gateway-1", nil)
	s, err := g.fleet.Open(t.Context(), agentsession.Peer{AgentID: "a", Authentication: agentsession.AuthenticationNone})
	require.NoError(t, err)
	defer s.Close()
	require.Eventually(t, func() bool { return g.fleet.DatabaseState().Err != nil }, soon, tick)
	_, body := call(t, doc, "GET", g.url+"/api/v1/agents?status=online", "")
	assert.Len(t, body["agents"], 1)
	assert.Equal(t, "unavailable", body["database"].(map[string]any)["state"])
	answer, _ := call(t, doc, "GET", g.url+"/api/v1/agents/a", "")
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	answer, body = call(t, doc, "GET", g.url+"/api/v1/agents/a/history", "")
	assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	assert.Equal(t, "urn:avika:problem:database-unavailable", body["type"])
	answer, _ = call(t, doc, "GET", g.url+"/ready", "")
	assert.Equal(t, http.StatusOK, answer.StatusCode, "agents are served without it")
}
