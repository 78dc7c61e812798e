package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/embedded"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// event is one server-sent event.
type event struct {
	name string
	data map[string]any
}

// follow reads events until the test ends.
func follow(t *testing.T, doc *spec, target string, headers ...string) <-chan event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NoError(t, doc.check("GET", request.URL.EscapedPath(), answer, nil))
	events, done := make(chan event, 1000), make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		scanner := bufio.NewScanner(answer.Body)
		scanner.Buffer(nil, 1<<24)
		name := ""
		for scanner.Scan() {
			if text, ok := strings.CutPrefix(scanner.Text(), "event: "); ok {
				name = text
			}
			if text, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				e := event{name: name}
				if json.Unmarshal([]byte(text), &e.data) == nil {
					events <- e
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = answer.Body.Close()
	})
	return events
}

func await(t *testing.T, doc *spec, events <-chan event, schema, name string, is func(map[string]any) bool) map[string]any {
	t.Helper()
	deadline := time.After(soon)
	for {
		select {
		case e, open := <-events:
			require.True(t, open, "the stream ended before %q came", name)
			if e.name != name {
				continue
			}
			require.NoError(t, doc.validate(name, map[string]any{"$ref": "#/components/schemas/" + schema}, e.data))
			if is == nil || is(e.data) {
				return e.data
			}
		case <-deadline:
			t.Fatalf("%q never came", name)
		}
	}
}

func checkStreams(t *testing.T, doc *spec, g *gateway, session agentsession.Session) {
	t.Helper()
	events := follow(t, doc, g.url+"/api/v1/events")
	await(t, doc, events, "Status", "hello", nil)
	passing := g.connect(t, "passing")
	await(t, doc, events, "EventAgents", "agents", func(data map[string]any) bool {
		return slices.ContainsFunc(data["agents"].([]any), func(a any) bool { return a.(map[string]any)["id"] == "passing" })
	})
	passing.Close()
	await(t, doc, events, "GatewayList", "gateways", nil)
	call(t, doc, "POST", g.url+"/api/v1/agents/passing/commands", `{"type":"reload"}`)
	await(t, doc, events, "Command", "command", func(data map[string]any) bool { return data["state"] == "pending" })
	call(t, doc, "DELETE", g.url+"/api/v1/agents/passing", "")
	await(t, doc, events, "EventRemoved", "removed", nil)
	await(t, doc, events, "EventActivity", "activity", nil)

	lines := follow(t, doc, g.url+"/api/v1/agents/web-1-192-0-2-7/logs?lines=1&type=access")
	assert.Equal(t, true, await(t, doc, lines, "TailOpen", "open", nil)["follow"])
	answerLogRequest(t, session)
	line := await(t, doc, lines, "TailLine", "line", nil)
	assert.Equal(t, "<script>\ufffd", line["content"])
	session.Close()
	assert.Equal(t, "agent_gone", await(t, doc, lines, "TailEnd", "end", nil)["reason"])
}

// answerLogRequest does what a stock agent does, with one old line.
func answerLogRequest(t *testing.T, session agentsession.Session) {
	t.Helper()
	deadline := time.After(soon)
	for {
		select {
		case command := <-session.Commands():
			session.CommandSent(command.CommandId, nil)
			if command.GetLogRequest() == nil || command.GetLogRequest().LogType != "access" {
				continue
			}
			entry := &agentv1.LogEntry{LogType: "access", Timestamp: time.Now().Add(-time.Hour).Unix(), Content: "<script>\xff"}
			assert.True(t, session.TakeLog(entry))
			return
		case <-deadline:
			t.Fatal("no log request came")
		}
	}
}

func TestLogTailThroughAnotherGateway(t *testing.T) {
	doc := loadSpec(t)
	shared := embedded.New()
	first := serve(t, shared, "gateway-1", nil)
	second := serve(t, shared, "gateway-2", nil)
	session := first.connect(t, "a")
	require.Eventually(t, func() bool {
		state, _ := second.fleet.Get("a")
		return state.Online
	}, soon, tick)
	lines := follow(t, doc, second.url+"/api/v1/agents/a/logs?lines=1&follow=false", "Authorization", "Bearer x")
	assert.Equal(t, "gateway-1", await(t, doc, lines, "TailOpen", "open", nil)["gateway"])
	answerLogRequest(t, session)
	await(t, doc, lines, "TailLine", "line", nil)
	assert.Equal(t, "complete", await(t, doc, lines, "TailEnd", "end", nil)["reason"])
	events, err := shared.Commands(t.Context(), "a", 1)
	require.NoError(t, err)
	assert.Contains(t, events[0].RequestedBy, "through gateway-2")
}

// TestHeadOfAStream is its headers: the agent is asked for nothing, and the connection is free for the next request.
func TestHeadOfAStream(t *testing.T) {
	shared := embedded.New()
	g := serve(t, shared, "gateway-1", nil)
	session := g.connect(t, "a")
	single := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(single.CloseIdleConnections)
	head := func(path string) *http.Response {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, g.url+path, nil)
		require.NoError(t, err)
		answer, err := single.Do(request)
		require.NoError(t, err, path)
		require.NoError(t, answer.Body.Close())
		return answer
	}
	for _, path := range []string{"/api/v1/agents/a/logs", "/api/v1/agents/a/logs?lines=5&follow=false", "/api/v1/events", "/api/v1/status"} {
		assert.Equal(t, http.StatusOK, head(path).StatusCode, path)
	}
	assert.Equal(t, "text/event-stream", head("/api/v1/agents/a/logs").Header.Get("Content-Type"))
	commands, err := shared.Commands(t.Context(), "a", 10)
	require.NoError(t, err)
	assert.Empty(t, commands)
	session.Close()
	assert.Equal(t, http.StatusConflict, head("/api/v1/agents/a/logs").StatusCode, "offline")
}
