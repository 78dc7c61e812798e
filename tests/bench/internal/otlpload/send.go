package otlpload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// ExportMethod is OTLP's method for logs.
const ExportMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// templates is how many different requests there are.
const templates = 100

// resendPause is between two attempts.
const resendPause = 100 * time.Millisecond

// Run sends the load and returns when everything is acknowledged, or given up.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	l := &load{cfg: cfg, report: Report{Failures: map[string]int{}, ByClient: make([]uint64, cfg.Clients)}}
	if err := l.prepare(); err != nil {
		return Report{}, err
	}
	defer l.close()
	l.began = time.Now()
	var clients sync.WaitGroup
	for i := range cfg.Clients {
		clients.Go(func() { l.client(ctx, i) })
	}
	clients.Wait()
	l.report.Seconds = time.Since(l.began).Seconds()
	return l.report, nil
}

type load struct {
	cfg       Config
	templates []*template
	conns     []*grpc.ClientConn
	began     time.Time

	mu     sync.Mutex
	report Report
}

func (l *load) prepare() error {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range templates {
		t, err := newTemplate(r, i, l.cfg.Rows, l.cfg.Event)
		if err != nil {
			return err
		}
		l.templates = append(l.templates, t)
	}
	quick := backoff.Config{BaseDelay: resendPause, Multiplier: 1.2, MaxDelay: time.Second}
	for _, addr := range l.cfg.Addrs {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(Codec{})),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}))
		if err != nil {
			return fmt.Errorf("connect to %s: %w", addr, err)
		}
		l.conns = append(l.conns, conn)
	}
	return nil
}

func (l *load) close() {
	for _, conn := range l.conns {
		_ = conn.Close()
	}
}

// client sends its rows in order, one request at a time. Rows have the time at which they were due.
func (l *load) client(ctx context.Context, i int) {
	rate, share := l.cfg.Rate/float64(l.cfg.Clients), l.cfg.share(i)
	var buffer []byte
	for row := uint64(0); share < 0 || int64(row) < share; row += uint64(l.cfg.Rows) {
		at := func(int) uint64 { return uint64(time.Now().UnixNano()) }
		if rate > 0 {
			due := func(n uint64) time.Time { return l.began.Add(time.Duration(float64(n+1) / rate * 1e9)) }
			if !sleepUntil(ctx, due(row+uint64(l.cfg.Rows)-1)) {
				return
			}
			at = func(k int) uint64 { return uint64(due(row + uint64(k)).UnixNano()) }
		}
		if l.over() || ctx.Err() != nil {
			return
		}
		t := l.templates[(i*31+int(row)/l.cfg.Rows)%len(l.templates)]
		buffer = t.fill(buffer, l.cfg.Run, uint32(i), row, at)
		if !l.deliver(ctx, Range{Writer: uint32(i), First: row, Rows: l.cfg.Rows}, buffer) {
			return
		}
	}
}

func (l *load) over() bool {
	return l.cfg.Rate == 0 && l.cfg.Duration > 0 && time.Since(l.began) > l.cfg.Duration
}

// deliver sends a request until it is acknowledged, and says whether it was.
func (l *load) deliver(ctx context.Context, r Range, request []byte) bool {
	for attempt := 0; ; attempt++ {
		err := l.attempt(ctx, l.conns[(int(r.Writer)+attempt)%len(l.conns)], request)
		if err == nil {
			l.acknowledged(r, attempt > 0)
			return true
		}
		if l.failed(r, err, ctx.Err() != nil || l.late()) {
			return false
		}
		time.Sleep(resendPause)
	}
}

func (l *load) late() bool {
	return l.cfg.Duration > 0 && time.Since(l.began) > l.cfg.Duration+l.cfg.GiveUp
}

func (l *load) attempt(ctx context.Context, conn *grpc.ClientConn, request []byte) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	var answer []byte
	if err := conn.Invoke(ctx, ExportMethod, request, &answer); err != nil {
		return err
	}
	response := plogotlp.NewExportResponse()
	if err := response.UnmarshalProto(answer); err != nil || response.PartialSuccess().RejectedLogRecords() > 0 {
		return status.Error(codes.InvalidArgument, "rows were rejected")
	}
	return nil
}

func (l *load) acknowledged(r Range, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Rows += uint64(r.Rows)
	l.report.Requests++
	l.report.ByClient[r.Writer] += uint64(r.Rows)
	if again {
		l.report.Resent = append(l.report.Resent, r)
	}
}

// failed counts the failure, and says whether that was the last attempt.
func (l *load) failed(r Range, err error, last bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Failures[status.Code(err).String()]++
	if last {
		l.report.Open = append(l.report.Open, r)
	}
	return last
}

func sleepUntil(ctx context.Context, t time.Time) bool {
	wait := time.NewTimer(time.Until(t))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}
