package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

const (
	key      = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	agentID  = "web-01-10-0-2-15"
	oldID    = "web-01+10.0.2.15"
	hostname = "web-01"

	codeInvalidArgument  = "3"
	codePermissionDenied = "7"
	codeUnauthenticated  = "16"
)

// Payloads of AgentMessage, and the fields of their messages, by number.
func heartbeat(version string, labels ...field) field {
	return nested(3, append([]field{
		text(1, hostname), text(2, version), double(3, 12.5),
		nested(4, text(1, "123"), text(2, version), text(3, "/etc/nginx/nginx.conf"), text(4, "RUNNING")),
		text(7, "1.110.0"), text(12, "10.0.2.15:5025"),
	}, labels...)...)
}

func label(name, value string) field { return nested(11, text(1, name), text(2, value)) }

func logEntry(at time.Time, logType, content string, parsed ...field) field {
	return nested(6, append([]field{number(1, at.Unix()), text(2, logType), text(3, content)}, parsed...)...)
}

func commandResult(id string, success bool) field {
	ok := int64(0)
	if success {
		ok = 1
	}
	return nested(4, text(1, id), number(2, ok))
}

func sample(total int64) field {
	return nested(7, number(1, 3), number(2, 100), number(3, 99), number(4, total), number(5, 1), number(6, 2), number(7, 0), double(8, 77),
		nested(9, float(1, 12.5), float(2, 50), number(3, 1000), number(4, 500), number(5, 10), number(6, 20), float(7, 1.5), float(8, 2.5), float(9, 8), float(10, 4), float(11, 0.5)),
		nested(10, number(1, 90), number(3, 5), number(4, 4), number(6, 1)), number(13, 1111), number(14, 2222))
}

func startGateway(t *testing.T) (*harness.Gateway, *harness.ClickHouse) {
	t.Helper()
	ch := harness.StartClickHouse(t)
	return harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: ch.Addr(), Env: []string{"AVIKA_PSK=" + key},
		Args: []string{"--set=extensions::agent_registry::control=open"},
	}), ch
}

// TestRawClientIsAStockAgent goes through what a stock agent does in its life.
func TestRawClientIsAStockAgent(t *testing.T) {
	g, ch := startGateway(t)
	a := connect(t, g.AgentAddr(), agentID, sign(key, oldID, hostname))
	a.send(heartbeat("unknown"))
	a.send(heartbeat("1.27.3", label("project", "shop"), label("environment", "test"), label("zone", "a")))

	t.Run("is online", func(t *testing.T) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			var found struct {
				Status         string            `json:"status"`
				NGINXVersion   string            `json:"nginx_version"`
				AgentVersion   string            `json:"agent_version"`
				Authentication string            `json:"authentication"`
				Labels         map[string]string `json:"labels"`
			}
			if g.GetJSON(c, "/api/v1/agents/"+agentID, &found) {
				assert.Equal(c, "online", found.Status)
				assert.Equal(c, "1.27.3", found.NGINXVersion)
				assert.Equal(c, "1.110.0", found.AgentVersion)
				assert.Equal(c, "psk", found.Authentication)
				assert.Equal(c, map[string]string{"project": "shop", "environment": "test", "zone": "a"}, found.Labels)
			}
		}, harness.WaitFor, harness.Tick)
	})
	t.Run("its lines are stored", func(t *testing.T) { sendLines(t, a, ch) })
	t.Run("its samples are stored", func(t *testing.T) { sendSamples(t, a, ch) })
	t.Run("it is commanded", func(t *testing.T) { obey(t, a, g) })
	t.Run("answers to a log request are not stored", func(t *testing.T) { answerLogRequest(t, a, g, ch) })

	a.close()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var found struct {
			Status string `json:"status"`
		}
		if g.GetJSON(c, "/api/v1/agents/"+agentID, &found) {
			assert.Equal(c, "offline", found.Status)
		}
	}, harness.WaitFor, harness.Tick)
}

// row is what the tests look at of access_logs.
type row struct {
	Timestamp  time.Time         `ch:"timestamp"`
	Instance   string            `ch:"instance_id"`
	RemoteAddr string            `ch:"remote_addr"`
	Method     string            `ch:"request_method"`
	URI        string            `ch:"request_uri"`
	Status     uint16            `ch:"status"`
	Bytes      uint64            `ch:"body_bytes_sent"`
	Time       float32           `ch:"request_time"`
	ID         string            `ch:"request_id"`
	UserAgent  string            `ch:"user_agent"`
	Referer    string            `ch:"referer"`
	TraceID    string            `ch:"trace_id"`
	Labels     map[string]string `ch:"labels"`
}

func sendLines(t *testing.T, a *agent, ch *harness.ClickHouse) {
	at := time.Now().UTC().Truncate(time.Second).Add(678 * time.Millisecond)
	const id = "0123456789abcdef0123456789abcdef"
	line := func(id, upstreams string) string {
		return fmt.Sprintf(`{"ts":"%s","req_id":"%s","client":"192.0.2.7","method":"POST","path":"/cart?x=1","status":502,"bytes":512,"rt":0.25,%s"referer":"-","ua":"curl/8"}`,
			at.Format("2006-01-02T15:04:05.000Z07:00"), id, upstreams)
	}
	// As the agent parses it; with several attempts its upstream times are 0.
	a.send(logEntry(at, "access", line(id, `"uct":"0.001, 0.002","uht":"-, 0.1","urt":"0.05, 0.2","upstream":"10.0.0.1:80, 10.0.0.2:80","ustatus":"504, 502",`),
		text(4, "192.0.2.7"), text(5, "POST"), text(6, "/cart?x=1"), number(7, 502), number(8, 512), float(9, 0.25), text(10, id),
		text(11, "10.0.0.1:80, 10.0.0.2:80"), text(12, "504, 502"), text(16, "-"), text(17, "curl/8")))
	// A line that the agent could not parse, and lines of the error log under both types.
	a.send(logEntry(at, "access", line("second", "")))
	const errorLine = `2026/01/02 03:04:05 [error] 12#34: *56 connect() failed, client: 192.0.2.7, server: shop, request: "GET /%s HTTP/1.1", upstream: "http://10.0.0.1:80/", host: "shop"`
	a.send(logEntry(at, "access", fmt.Sprintf(errorLine, "one")))
	a.send(logEntry(at, "error", fmt.Sprintf(errorLine, "two")))
	a.send(logEntry(at, "access", "no format at all"))

	want := row{
		Timestamp: at, Instance: agentID, RemoteAddr: "192.0.2.7", Method: "POST", URI: "/cart?x=1", Status: 502, Bytes: 512, Time: 0.25, ID: id,
		UserAgent: "curl/8", TraceID: id, Labels: map[string]string{"project": "shop", "environment": "test", "zone": "a"},
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var rows []row
		if !ch.Select(c, &rows, `SELECT timestamp, instance_id, remote_addr, request_method, request_uri, status, body_bytes_sent, request_time, request_id,
			user_agent, referer, trace_id, labels FROM nginx_analytics.access_logs WHERE request_id != '' ORDER BY request_id`) || !assert.Len(c, rows, 2) {
			return
		}
		for i := range rows {
			rows[i].Timestamp = rows[i].Timestamp.UTC()
		}
		assert.Equal(c, want, rows[0])
		assert.Equal(c, "second", rows[1].ID)
		assert.Equal(c, want.Timestamp, rows[1].Timestamp)
		assert.EqualValues(c, 502, rows[1].Status)
		assert.EqualValues(c, 2, ch.Uint(c, "SELECT count() FROM nginx_analytics.error_logs WHERE pid = 12 AND tid = 34 AND connection = 56 AND client = '192.0.2.7' AND level = 'error'"))
		assert.EqualValues(c, 1, ch.Uint(c, "SELECT count() FROM nginx_analytics.access_logs WHERE raw = 'no format at all'"))
		assert.EqualValues(c, 3, ch.Uint(c, "SELECT count() FROM nginx_analytics.access_logs"))
	}, harness.WaitFor, harness.Tick)
}

func sendSamples(t *testing.T, a *agent, ch *harness.ClickHouse) {
	a.send(sample(1000))
	time.Sleep(1100 * time.Millisecond) // messages carry whole seconds
	a.send(sample(1500))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, 2, ch.Uint(c, `SELECT count() FROM nginx_analytics.nginx_metrics WHERE instance_id = ? AND active_connections = 3 AND accepted_connections = 100
			AND handled_connections = 99 AND reading = 1 AND writing = 2 AND status_2xx = 90 AND status_5xx = 1 AND bytes_in = 1111 AND bytes_out = 2222`, agentID))
		assert.EqualValues(c, 1, ch.Uint(c, `SELECT count() FROM nginx_analytics.nginx_metrics AS first, nginx_analytics.nginx_metrics AS second WHERE first.total_requests = 1000
			AND second.total_requests = 1500 AND abs(second.requests_per_second * (second.timestamp::Float64 - first.timestamp::Float64) - 500) < 1`),
			"a rate from two samples, not the agent's 77")
		assert.EqualValues(c, 2, ch.Uint(c, `SELECT count() FROM nginx_analytics.system_metrics WHERE instance_id = ? AND cpu_usage = 12.5 AND memory_usage = 50 AND memory_total = 1000
			AND memory_used = 500 AND network_rx_bytes = 10 AND network_tx_rate = 2.5 AND cpu_user = 8 AND cpu_iowait = 0.5`, agentID))
	}, harness.WaitFor, harness.Tick)
}

// command is what the tests look at of a command in the registry.
type command struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

func post(t *testing.T, g *harness.Gateway, body string) command {
	t.Helper()
	response, err := http.Post(g.URL("/api/v1/agents/"+agentID+"/commands"), "application/json", bytes.NewBufferString(body))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	var made command
	require.NoError(t, json.NewDecoder(response.Body).Decode(&made))
	return made
}

func obey(t *testing.T, a *agent, g *harness.Gateway) {
	made := post(t, g, `{"type":"reload"}`)
	got := a.command()
	require.Equal(t, made.ID, got[1])
	require.Equal(t, map[int]any{1: "RELOAD"}, fields(t, []byte(got[3].(string))))
	a.send(commandResult(made.ID, true))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var now command
		if g.GetJSON(c, "/api/v1/commands/"+made.ID, &now) {
			assert.Equal(c, "succeeded", now.State)
		}
	}, harness.WaitFor, harness.Tick)
}

func answerLogRequest(t *testing.T, a *agent, g *harness.Gateway, ch *harness.ClickHouse) {
	before := ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs")
	post(t, g, `{"type":"log_request","log_request":{"log_type":"access","tail_lines":2}}`)
	request := fields(t, []byte(a.command()[4].(string)))
	require.Equal(t, "access", request[2])
	require.EqualValues(t, 2, request[3])
	line := func(id string) string { return `{"req_id":"` + id + `","method":"GET","path":"/","status":200}` }
	earlier := time.Now().Add(-time.Minute) // the last lines come first, then the normal flow goes on
	for id, at := range map[string]time.Time{"old-1": earlier, "old-2": earlier} {
		a.send(logEntry(at, "access", line(id), text(5, "GET"), text(6, "/"), number(7, 200), text(10, id)))
	}
	a.send(logEntry(time.Now(), "access", line("new-1"), text(5, "GET"), text(6, "/"), number(7, 200), text(10, "new-1")))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, 1, ch.Uint(c, "SELECT count() FROM nginx_analytics.access_logs WHERE request_id = 'new-1'"))
	}, harness.WaitFor, harness.Tick)
	require.EqualValues(t, before+1, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"))
}

// TestRawClientIsRefused: what an operator reads in the agent's log says what is wrong.
func TestRawClientIsRefused(t *testing.T) {
	g, ch := startGateway(t)
	for name, test := range map[string]struct {
		header http.Header
		id     string
		code   string
		says   string
	}{
		"no signature":       {sign("", "", ""), agentID, codeUnauthenticated, "sent no signature"},
		"another key":        {sign("ff"+key[2:], agentID, hostname), agentID, codeUnauthenticated, "not made with a pre-shared key"},
		"another agent's id": {sign(key, agentID, hostname), "web-02-10-0-2-16", codePermissionDenied, "not the authenticated agent's"},
		"no id":              {sign(key, agentID, hostname), "", codeInvalidArgument, "agent_id"},
	} {
		t.Run(name, func(t *testing.T) {
			a := connect(t, g.AgentAddr(), test.id, test.header)
			go func() { // the stream may end before the message is out
				encoded := message(text(1, test.id), logEntry(time.Now(), "access", "x"))
				_, _ = a.out.Write(append([]byte{0, 0, 0, 0, byte(len(encoded))}, encoded...))
			}()
			code, says := a.status()
			require.Equal(t, test.code, code)
			require.Contains(t, says, test.says)
		})
	}
	good := connect(t, g.AgentAddr(), agentID, sign(key, agentID, hostname))
	good.send(logEntry(time.Now(), "access", "of the good agent"))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		if ch.Uint(c, "SELECT count() FROM system.tables WHERE database = 'nginx_analytics' AND name = 'access_logs'") == 1 {
			assert.EqualValues(c, 1, ch.Uint(c, "SELECT count() FROM nginx_analytics.access_logs"))
		} else {
			assert.Fail(c, "no table yet")
		}
	}, harness.WaitFor, harness.Tick)
	metrics := g.Metrics(t)
	require.InDelta(t, 1, metrics.Sum("otelcol_receiver_avika_streams_refused_total", map[string]string{"reason": "signature_wrong"}), 0)
	require.InDelta(t, 1, metrics.Sum("nginx_gateway_messages_total", map[string]string{"type": "log_entry"}), 0, "nothing of the others was taken")
}
