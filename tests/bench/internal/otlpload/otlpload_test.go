package otlpload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestFilledTemplateDecodes(t *testing.T) {
	const rows = 7
	tmpl, err := newTemplate(rand.New(rand.NewPCG(1, 2)), 3, rows, "nginx.access")
	require.NoError(t, err)
	b := tmpl.fill(nil, 0xabc, 5, 100, func(row int) uint64 { return uint64(1000 + row) })
	req := plogotlp.NewExportRequest()
	require.NoError(t, req.UnmarshalProto(b))
	recs := req.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, rows, recs.Len())
	for i := range rows {
		id, _ := recs.At(i).Attributes().Get("nginx.request.id")
		assert.Equal(t, fmt.Sprintf("%08x%08x%016x", 0xabc, 5, 100+i), id.Str())
		assert.Equal(t, id.Str(), recs.At(i).TraceID().String())
		assert.EqualValues(t, 1000+i, recs.At(i).Timestamp())
		assert.Equal(t, "nginx.access", recs.At(i).EventName())
	}
}

// server is a collector that does what a real one cannot be made to do on request: refuse one request in three.
type server struct {
	plogotlp.UnimplementedGRPCServer
	calls atomic.Int64
}

func (s *server) Export(context.Context, plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	if s.calls.Add(1)%3 == 0 {
		return plogotlp.NewExportResponse(), status.Error(codes.Unavailable, "full")
	}
	return plogotlp.NewExportResponse(), nil
}

func startServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := grpc.NewServer()
	plogotlp.RegisterGRPCServer(s, &server{})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func TestRefusedRequestsAreSentAgainAndReported(t *testing.T) {
	r, err := Run(t.Context(), Config{
		Addrs: []string{startServer(t), startServer(t)}, Total: 1200, Clients: 2, Rows: 50, Run: 1, Timeout: 5 * time.Second,
	})
	require.NoError(t, err)
	assert.EqualValues(t, 1200, r.Rows)
	assert.EqualValues(t, 24, r.Requests)
	assert.Equal(t, []uint64{600, 600}, r.ByClient)
	assert.Empty(t, r.Open)
	assert.NotEmpty(t, r.Resent)
	assert.GreaterOrEqual(t, r.Failures["Unavailable"], len(r.Resent), "one may be refused twice")
	assert.True(t, r.Resent[0].Has(r.Resent[0].Writer, r.Resent[0].First+49))
	assert.False(t, r.Resent[0].Has(r.Resent[0].Writer, r.Resent[0].First+50))
}

func TestWhatIsNeverAcknowledgedIsOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	r, err := Run(t.Context(), Config{
		Addrs: []string{l.Addr().String()}, Rate: 1000, Duration: 200 * time.Millisecond, Clients: 1, Rows: 50, Timeout: time.Second,
	})
	require.NoError(t, err)
	assert.Zero(t, r.Rows)
	assert.Equal(t, []Range{{Rows: 50}}, r.Open)
}

func TestConfigThatCannotWork(t *testing.T) {
	for _, cfg := range []Config{{}, {Addrs: []string{"a"}, Clients: 1}, {Addrs: []string{"a"}, Clients: 1, Rows: 1}} {
		_, err := Run(t.Context(), cfg)
		assert.Error(t, err)
	}
}
