package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	nginxconf "github.com/avika-ai/avika-collector/deploy/nginx"
	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// everyKey makes NGINX fill every key: two upstreams of which the first is down, a cache, and the shipped status page.
const everyKey = `user root; # who, unlike nobody, may enter the folder; ignored when somebody else runs the test
pid nginx.pid;
error_log logs/error.log info;
events {}
http {
%s
%s
  access_log logs/access.log avika;
  client_body_temp_path tmp/body; proxy_temp_path tmp/proxy; fastcgi_temp_path tmp/fastcgi; uwsgi_temp_path tmp/uwsgi; scgi_temp_path tmp/scgi;
  proxy_cache_path tmp/cache keys_zone=demo:1m;
  upstream app { server 127.0.0.1:%d max_fails=0; server %s backup; }
  server {
    listen 127.0.0.1:%d;
    location / { proxy_pass http://app; proxy_cache demo; proxy_cache_valid 200 1m; }
  }
}
`

type keysRig struct {
	ch        *harness.ClickHouse
	site      string // host:port of NGINX
	down, app string // the upstreams
	began     time.Time
	bytesSent atomic.Int64 // http.response.size as another exporter gets it
}

// TestEveryKeyOfTheLogFormatArrives sends one request through a real NGINX, and looks for each key of the shipped format.
func TestEveryKeyOfTheLogFormatArrives(t *testing.T) {
	r := startKeysRig(t)
	for _, want := range []string{"MISS", "HIT"} {
		r.request(t)
		require.Eventually(t, func() bool {
			return r.ch.Uint(quiet{}, "SELECT count() FROM nginx_analytics.access_logs WHERE cache_status = ?", want) == 1
		}, harness.WaitFor, harness.Tick, "no row with cache_status %s", want)
	}
	value := func(expression string) string {
		return r.ch.String(t, "SELECT "+expression+" FROM nginx_analytics.access_logs WHERE cache_status = 'MISS'")
	}
	for key, column := range map[string][2]string{
		"client": {"remote_addr", "127.0.0.1"}, "xff": {"x_forwarded_for", "203.0.113.7, 198.51.100.2"},
		"method": {"request_method", "GET"}, "path": {"request_uri", `/a%20b?q="1"`}, "status": {"status", "200"}, "bytes": {"body_bytes_sent", "5"},
		"upstream": {"upstream_addr", r.down + ", " + r.app}, "ustatus": {"upstream_status", "502, 200"},
		"referer": {"referer", "http://example.com/from"}, "ua": {"user_agent", "keys/1.0 (test)"},
		"host": {"host", "shop.example"}, "scheme": {"scheme", "http"}, "proto": {"protocol", "HTTP/1.1"},
		"traceparent": {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"}, "cache_status": {"cache_status", "MISS"},
	} {
		assert.Equal(t, column[1], value(column[0]), "key %s, column %s", key, column[0])
	}
	for key, expression := range map[string]string{
		"req_id": "match(request_id, '^[0-9a-f]{32}$')", "rt": "request_time >= 0.028 AND request_time < 5",
		"uct": "upstream_connect_time >= 0 AND upstream_connect_time < 5", "uht": "upstream_header_time >= 0.028 AND upstream_header_time < 5",
		"urt": "upstream_response_time >= 0.028 AND upstream_response_time < 5", "a line that is understood": "raw = ''",
	} {
		assert.Equal(t, "1", value("toUInt8("+expression+")"), key)
	}
	at, err := time.Parse("2006-01-02 15:04:05.000", value("timestamp"))
	require.NoError(t, err)
	assert.WithinRange(t, at, r.began.Add(-time.Second), time.Now(), "ts")
	// One of two lines at least is not on a full second by chance, 998 of 1,000 times; a line without msec never is.
	assert.NotZero(t, r.ch.Uint(t, "SELECT countIf(toUnixTimestamp64Milli(timestamp) % 1000 != 0) FROM nginx_analytics.access_logs"), "msec")
	require.Eventually(t, func() bool { return r.bytesSent.Load() > 5 }, harness.WaitFor, harness.Tick, "sent: the headers are more than the body")
	require.Eventually(t, func() bool {
		return r.ch.Uint(quiet{}, "SELECT max(accepted_connections) FROM nginx_analytics.nginx_metrics") > 0
	}, harness.WaitFor, harness.Tick, "stub_status of avika-status.conf")
}

func startKeysRig(t *testing.T) *keysRig {
	t.Helper()
	r := &keysRig{ch: harness.StartClickHouse(t), began: time.Now().UTC()}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(harness.AppDelay)
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(app.Close)
	ports := harness.Ports(t, 3)
	r.down, r.app, r.site = fmt.Sprintf("127.0.0.1:%d", ports[0]), strings.TrimPrefix(app.URL, "http://"), fmt.Sprintf("127.0.0.1:%d", ports[1])
	// The status page's port is fixed in the shipped file.
	status := strings.ReplaceAll(nginxconf.Status, "127.0.0.1:8081", fmt.Sprintf("127.0.0.1:%d", ports[2]))
	statusURL := fmt.Sprintf("http://127.0.0.1:%d/nginx_status", ports[2])
	ctx, cancel := context.WithTimeout(context.Background(), harness.WaitFor)
	defer cancel()
	n, err := localstack.StartNGINX(ctx, localstack.NGINXOptions{
		Config: fmt.Sprintf(everyKey, nginxconf.LogFormat, status, ports[0], r.app, ports[1]), Ready: statusURL,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, n.Stop()) })
	g := harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: r.ch.Addr(), Args: []string{
			"--set=exporters::otlp_http::endpoint=" + r.collect(t), "--set=exporters::otlp_http::compression=none",
			"--set=service::pipelines::logs::exporters=[ch_batch,otlp_http]",
		},
	})
	logs := filepath.Join(n.Dir(), "logs")
	harness.StartAgent(t, g.AgentAddr(), "--tail", filepath.Join(logs, "access.log"), "--error-log", filepath.Join(logs, "error.log"),
		"--stub-status", statusURL, "--from-start")
	return r
}

// collect is another OTLP server, for what no column holds.
func (r *keysRig) collect(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		request := plogotlp.NewExportRequest()
		if err != nil || request.UnmarshalProto(body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.size(request.Logs())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (r *keysRig) size(logs plog.Logs) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if size, ok := record.Attributes().Get("http.response.size"); ok {
					r.bytesSent.Store(size.Int())
				}
			}
		}
	}
}

func (r *keysRig) request(t *testing.T) {
	t.Helper()
	connection, err := net.Dial("tcp", r.site)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	_, err = io.WriteString(connection, "GET /a%20b?q=\"1\" HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n"+
		"X-Forwarded-For: 203.0.113.7, 198.51.100.2\r\nReferer: http://example.com/from\r\nUser-Agent: keys/1.0 (test)\r\n"+
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.Contains(t, string(answer), "200 OK")
}

// quiet swallows what fails while tables do not exist yet.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}
