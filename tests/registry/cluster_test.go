package registry

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// cluster is a set of gateways that share a PostgreSQL and a ClickHouse.
type cluster struct {
	pg       *localstack.Postgres
	ch       *harness.ClickHouse
	gateways []*harness.Gateway
}

// prepare makes a cluster whose gateways are not running.
func prepare(t *testing.T, n int, args ...string) *cluster {
	t.Helper()
	c := &cluster{pg: harness.StartPostgres(t), ch: harness.StartClickHouse(t)}
	for i := range n {
		c.gateways = append(c.gateways, harness.NewGateway(t, harness.GatewayOptions{
			Config: harness.ConfigFile(t, "gateway"), ID: fmt.Sprint("gateway-", i), ClickHouse: c.ch.Addr(), Postgres: c.pg.DSN(),
			Args: append([]string{"--set=extensions::agent_registry::control=open"}, args...),
		}))
	}
	return c
}

func (c *cluster) start() {
	for _, g := range c.gateways {
		g.Launch()
	}
	for _, g := range c.gateways {
		g.WaitReady()
	}
}

// summary is what the tests look at of an agent.
type summary struct {
	ID           string    `json:"id"`
	Status       string    `json:"status"`
	Since        time.Time `json:"since"`
	Gateway      string    `json:"gateway"`
	NginxVersion string    `json:"nginx_version"`
	Rate         *float64  `json:"rate"`
}

type list struct {
	Agents   []summary `json:"agents"`
	Total    int       `json:"total"`
	Database struct {
		State string `json:"state"`
		Error string `json:"error"`
	} `json:"database"`
}

func agentsAt(t assert.TestingT, g *harness.Gateway, query string) list {
	var l list
	g.GetJSON(t, "/api/v1/agents?limit=1000&"+query, &l)
	return l
}

// everywhere waits until all these gateways list that many agents.
func everywhere(t *testing.T, gateways []*harness.Gateway, query string, count int, limit time.Duration) time.Duration {
	t.Helper()
	started := time.Now()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, g := range gateways {
			assert.Equal(c, count, agentsAt(c, g, query).Total, "%s at %s", query, g.URL(""))
		}
	}, limit, harness.Tick)
	return time.Since(started)
}

// shows waits until the gateway shows the agent so.
func shows(t *testing.T, g *harness.Gateway, id, want, gateway string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var s summary
		if g.GetJSON(c, "/api/v1/agents/"+id, &s) {
			assert.Equal(c, want, s.Status)
			assert.Equal(c, gateway, s.Gateway)
		}
	}, harness.WaitFor, harness.Tick)
}

func call(t *testing.T, g *harness.Gateway, method, path, body string, into any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, g.URL(path), strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if into != nil {
		require.NoError(t, json.Unmarshal(text, into), "%s", text)
	}
	return response.StatusCode
}

// command is what the tests look at of a command.
type command struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Result string `json:"result"`
}

func ask(t *testing.T, g *harness.Gateway, agent, body string) command {
	t.Helper()
	var c command
	require.Equal(t, http.StatusAccepted, call(t, g, http.MethodPost, "/api/v1/agents/"+agent+"/commands", body, &c))
	return c
}

func becomes(t *testing.T, g *harness.Gateway, id, state string) command {
	t.Helper()
	var c command
	require.EventuallyWithT(t, func(ct *assert.CollectT) {
		if g.GetJSON(ct, "/api/v1/commands/"+id, &c) {
			assert.Equal(ct, state, c.State)
		}
	}, harness.WaitFor, harness.Tick)
	return c
}

// lines follows an agent's log and passes the content of its lines on.
func lines(t *testing.T, g *harness.Gateway, path string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL(path), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	found := make(chan string, 1000)
	go func() {
		defer response.Body.Close()
		defer close(found)
		scanner := bufio.NewScanner(response.Body)
		for event := ""; scanner.Scan(); {
			if name, ok := strings.CutPrefix(scanner.Text(), "event: "); ok {
				event = name
			}
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok && event == "line" {
				var line struct {
					Content string `json:"content"`
				}
				if json.Unmarshal([]byte(data), &line) == nil {
					found <- line.Content
				}
			}
		}
	}()
	return found
}

func (c *cluster) rows(t assert.TestingT, prefix string) (rows, distinct uint64) {
	where := " FROM nginx_analytics.access_logs WHERE startsWith(request_id, '" + prefix + "')"
	return c.ch.Uint(t, "SELECT count()"+where), c.ch.Uint(t, "SELECT uniqExact(request_id)"+where)
}

// stored waits until so many rows are there, each once.
func (c *cluster) stored(t *testing.T, prefix string, want int) {
	t.Helper()
	require.EventuallyWithT(t, func(ct *assert.CollectT) {
		_, distinct := c.rows(ct, prefix)
		assert.EqualValues(ct, want, distinct)
	}, harness.WaitFor, harness.Tick)
	rows, _ := c.rows(t, prefix)
	assert.EqualValues(t, want, rows)
}
