package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// request is what was sent to NGINX and what must be in access_logs.
type request struct {
	method, uri, requestID, userAgent string
	status                            int
	size                              int // body bytes
	app                               bool
}

// kinds of requests; every one gets a number, so that its URI is unique.
var kinds = []struct {
	method, path string
	app          bool
}{
	{http.MethodGet, "/page/%d", false},
	{http.MethodGet, "/search?q=%d&lang=de%%20CH", false},
	{http.MethodHead, "/page/head-%d", false},
	{http.MethodGet, "/missing/%d", false},
	{http.MethodGet, "/app/orders/%d", true},
	{http.MethodPost, "/app/orders?number=%d", true},
	{http.MethodDelete, "/app/cart/%d", true},
	{http.MethodGet, `/quote"d/%d`, false},
}

// sendRequests sends n requests from several clients at once.
func sendRequests(t *testing.T, n *harness.NGINX, count int) []request {
	t.Helper()
	const clients = 8
	sent := make([]request, count)
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for i := c; i < count; i += clients {
				sent[i] = send(t, n, i)
			}
		})
	}
	group.Wait()
	return sent
}

func send(t *testing.T, n *harness.NGINX, i int) request {
	kind := kinds[i%len(kinds)]
	r := request{method: kind.method, uri: fmt.Sprintf(kind.path, i), userAgent: fmt.Sprintf("e2e/%d (test)", i), app: kind.app}
	req, err := http.NewRequest(r.method, n.URL("/"), strings.NewReader(""))
	if err != nil {
		t.Error(err)
		return r
	}
	// As it is on the wire: net/url would escape the quotation mark.
	req.URL.Opaque = r.uri
	req.Header.Set("User-Agent", r.userAgent)
	req.Header.Set("Referer", "http://example.com/from")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return r
	}
	defer func() { _ = resp.Body.Close() }()
	size, _ := io.Copy(io.Discard, resp.Body)
	r.status, r.size, r.requestID = resp.StatusCode, int(size), resp.Header.Get("X-Request-ID")
	return r
}

// row is a row of access_logs.
type row struct {
	Timestamp            time.Time `ch:"timestamp"`
	InstanceID           string    `ch:"instance_id"`
	RemoteAddr           string    `ch:"remote_addr"`
	Method               string    `ch:"request_method"`
	URI                  string    `ch:"request_uri"`
	Status               uint16    `ch:"status"`
	BodyBytesSent        uint64    `ch:"body_bytes_sent"`
	RequestTime          float32   `ch:"request_time"`
	RequestID            string    `ch:"request_id"`
	UpstreamAddr         string    `ch:"upstream_addr"`
	UpstreamStatus       string    `ch:"upstream_status"`
	UpstreamResponseTime float32   `ch:"upstream_response_time"`
	UserAgent            string    `ch:"user_agent"`
	Referer              string    `ch:"referer"`
}

const selectRows = `SELECT timestamp, instance_id, remote_addr, request_method, request_uri, status, body_bytes_sent,
	request_time, request_id, upstream_addr, upstream_status, upstream_response_time, user_agent, referer
	FROM nginx_analytics.access_logs`

// waitRows waits until access_logs has the number of rows, and a moment longer for rows that should not be there.
func waitRows(t *testing.T, ch *harness.ClickHouse, count int) map[string]row {
	t.Helper()
	require.Eventually(t, func() bool {
		return countRows(ch, "access_logs") >= uint64(count)
	}, harness.WaitFor, harness.Tick, "access_logs has %d of %d rows", countRows(ch, "access_logs"), count)
	time.Sleep(500 * time.Millisecond)
	var rows []row
	require.True(t, ch.Select(t, &rows, selectRows))
	require.Len(t, rows, count, "every request once")
	byURI := map[string]row{}
	for _, r := range rows {
		byURI[r.URI] = r
	}
	require.Len(t, byURI, count, "every request once")
	return byURI
}

// quiet swallows what fails while tables do not exist yet.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}

func countRows(ch *harness.ClickHouse, table string) uint64 {
	return ch.Uint(quiet{}, "SELECT count() FROM nginx_analytics."+table)
}
