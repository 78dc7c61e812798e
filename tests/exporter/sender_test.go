package exporter

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// sender is an OTLP client that sends access records at a rate, and again what was not acknowledged.
type sender struct {
	t       testing.TB
	gateway *harness.Gateway
	client  plogotlp.GRPCClient
	conn    *grpc.ClientConn
	timeout time.Duration
	rows    int // per request
	workers int
	table   string // where the rows are looked for
	id      string // column or expression that has a row's id there
	event   string // name of the records' events
	days    int    // that the rows of a request fall on

	mu sync.Mutex
	// first and again are the rows of requests that were acknowledged when they were sent first, and later.
	first, again map[int]bool
	next         int
}

func newSender(t testing.TB, g *harness.Gateway) *sender {
	t.Helper()
	conn, err := grpc.NewClient(g.OTLPGRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &sender{
		t: t, gateway: g, conn: conn, client: plogotlp.NewGRPCClient(conn), timeout: 5 * time.Second, rows: 200, workers: 8, table: accessLogs,
		id: "request_id", event: "nginx.access", days: 1,
		first: map[int]bool{}, again: map[int]bool{},
	}
}

// into makes the rows go to a table, access_logs or otel_logs.
func (s *sender) into(table string) {
	if s.table = table; table == otelLogs {
		s.id, s.event = "LogAttributes['nginx.request.id']", ""
	}
}

// sendNext sends one request until it is acknowledged.
func (s *sender) sendNext() {
	s.next += s.rows
	s.send(s.next - s.rows)
}

// run sends rate rows a second for d; then every request that was begun is sent until it is acknowledged.
func (s *sender) run(rate int, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var wg sync.WaitGroup
	requests := make(chan int)
	for range s.workers {
		wg.Go(func() {
			for start := range requests {
				s.send(start)
			}
		})
	}
	tick := time.NewTicker(time.Second * time.Duration(s.rows) / time.Duration(rate))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			select {
			case requests <- s.next:
				s.next += s.rows
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
	}
	close(requests)
	wg.Wait()
}

// resendTimeout bounds how long a request is sent again and again.
const resendTimeout = 15 * time.Minute

func (s *sender) send(start int) {
	req := plogotlp.NewExportRequestFromLogs(s.records(start))
	deadline := time.Now().Add(resendTimeout)
	for attempt := 0; time.Now().Before(deadline); attempt++ {
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		_, err := s.client.Export(ctx, req)
		cancel()
		if err == nil {
			s.acknowledged(start, attempt == 0)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Errorf("rows from %d on were never acknowledged", start)
}

func (s *sender) acknowledged(start int, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := start; i < start+s.rows; i++ {
		if first {
			s.first[i] = true
		} else {
			s.again[i] = true
		}
	}
}

// acked is how many rows were acknowledged until now.
func (s *sender) acked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.first) + len(s.again)
}

// outage lasts for d, and until so many rows have been acknowledged since it began.
func (s *sender) outage(d time.Duration, rows int) {
	s.t.Helper()
	before := s.acked()
	time.Sleep(d)
	require.Eventually(s.t, func() bool { return s.acked()-before >= rows }, storedWithin, 50*time.Millisecond, "too few rows were taken during the outage")
}

func rowID(i int) string { return fmt.Sprintf("%032x", i+1) }

func (s *sender) records(start int) plog.Logs {
	n := s.rows
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("avika.agent.id", fmt.Sprintf("web-%02d", start/n%10))
	recs := rl.ScopeLogs().AppendEmpty().LogRecords()
	now := time.Now()
	for i := start; i < start+n; i++ {
		rec := recs.AppendEmpty()
		rec.SetEventName(s.event)
		rec.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Duration(i%s.days) * 24 * time.Hour)))
		a := rec.Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.path", "/products/"+fmt.Sprint(i%1000))
		a.PutInt("http.response.status_code", 200)
		a.PutInt("http.response.body.size", int64(i))
		a.PutDouble("nginx.request.time", 0.01)
		a.PutStr("nginx.request.id", rowID(i))
		a.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36")
		a.PutStr("network.peer.address", "203.0.113.7")
	}
	return ld
}
