package chbatchexporter

import (
	"context"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// load is what all signals count for gateway_metrics.
type load struct {
	rows, inserts, insertNanos atomic.Int64

	mu     sync.Mutex
	agents map[string]bool
}

func newLoad() *load { return &load{agents: map[string]bool{}} }

// sampled notes that an agent sent a sample: it is connected.
func (l *load) sampled(agent string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.agents[agent] {
		l.agents[strings.Clone(agent)] = true // the sender may reuse the memory behind it
	}
}

func (l *load) takeAgents() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.agents)
	clear(l.agents)
	return n
}

// gatewaySampler writes a row of gateway_metrics at each interval.
type gatewaySampler struct {
	id       string
	interval time.Duration
	load     *load
	queue    *blockqueue.Queue
	log      *zap.Logger
	process  *process.Process
	cpu      float64 // seconds, at the last sample
	last     time.Time

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newGatewaySampler(cfg GatewayMetricsConfig, l *load, q *blockqueue.Queue, log *zap.Logger) (*gatewaySampler, error) {
	p, err := process.NewProcess(int32(os.Getpid())) //nolint:gosec // process ids are small
	if err != nil {
		return nil, err
	}
	s := &gatewaySampler{id: cfg.GatewayID, interval: cfg.Interval, load: l, queue: q, log: log, process: p, last: time.Now()}
	if s.id == "" {
		if s.id, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *gatewaySampler) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.cpu, _ = s.usage()
	s.wg.Go(func() {
		tick := time.NewTicker(s.interval)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				s.write(ctx, now)
			case <-ctx.Done():
				return
			}
		}
	})
}

func (s *gatewaySampler) stop() {
	s.cancel()
	s.wg.Wait()
}

// write does not wait for a full queue longer than until the next sample.
func (s *gatewaySampler) write(ctx context.Context, now time.Time) {
	sample := s.sample(now)
	ctx, cancel := context.WithTimeout(ctx, s.interval)
	defer cancel()
	call, err := s.queue.Begin(ctx, 1)
	if err != nil {
		s.log.Debug("A row of gateway_metrics is left out", zap.Error(err))
		return
	}
	lane := call.Lane(rows.GatewayMetrics, 0, false)
	at := pcommon.NewTimestampFromTime(now)
	if b, ok := lane.Builder().(*rows.Gateway); ok {
		b.Append(at, &sample)
	}
	lane.Added(at)
	lane.Unlock()
	if err := call.Finish(ctx); err != nil {
		s.log.Debug("A row of gateway_metrics may be missing", zap.Error(err))
	}
}

func (s *gatewaySampler) sample(now time.Time) rows.GatewaySample {
	cpu, resident := s.usage()
	seconds := now.Sub(s.last).Seconds()
	out := rows.GatewaySample{
		Gateway: s.id, Connections: uint32(s.load.takeAgents()), Goroutines: uint32(runtime.NumGoroutine()),
		EPS: float32(float64(s.load.rows.Swap(0)) / seconds), CPU: float32((cpu - s.cpu) / seconds * 100),
		MemoryMB: float32(float64(resident) / mib),
	}
	if n := s.load.inserts.Swap(0); n > 0 {
		out.LatencyMS = float32(float64(s.load.insertNanos.Swap(0)) / float64(n) / float64(time.Millisecond))
	}
	s.cpu, s.last = cpu, now
	return out
}

// usage is CPU time in seconds and resident memory in bytes of this process; what cannot be found out is 0.
func (s *gatewaySampler) usage() (cpu float64, resident uint64) {
	if t, err := s.process.Times(); err == nil {
		cpu = t.User + t.System
	}
	if m, err := s.process.MemoryInfo(); err == nil {
		resident = m.RSS
	}
	return cpu, resident
}
