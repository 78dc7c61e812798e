package scenario

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/proc"
	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// routinesEvery is how often a gateway is asked for its goroutines, so that a fifth of a short run has some.
const routinesEvery = 5 * time.Second

// sampler looks at everything once a second, and prints the line of progress.
type sampler struct {
	stack     *stack.Stack
	table     string // name without its database
	processes []stack.Process
	expected  int64
	progress  io.Writer
	began     time.Time
	zero      map[string]time.Duration // CPU time before the first row

	samples []report.Sample
	stop    context.CancelFunc
	done    chan struct{}
}

func (s *sampler) start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.look(ctx)
			}
		}
	}()
}

func (s *sampler) end() []report.Sample {
	s.stop()
	<-s.done
	return s.samples
}

// look is one sample. What cannot be read, because a fault has just ended it, is left out.
func (s *sampler) look(ctx context.Context) {
	sample := report.Sample{Seconds: time.Since(s.began).Seconds(), RSS: map[string]int64{}, CPU: map[string]float64{}, Anon: map[string]int64{}}
	sample.Stored, sample.Parts = s.stored(ctx)
	for _, p := range s.processes {
		if u, err := proc.Read(p.PID()); err == nil {
			sample.RSS[p.Name], sample.CPU[p.Name] = u.RSS, (u.CPU - s.zero[p.Name]).Seconds()
		}
	}
	for _, c := range s.stack.Collectors {
		if n, err := proc.Anonymous(c.PID()); err == nil {
			sample.Anon[c.Name] = n
		}
	}
	if len(s.samples)%int(routinesEvery/time.Second) == 0 {
		sample.Routines = s.routines()
	}
	s.print(sample)
	s.samples = append(s.samples, sample)
}

// stored is cheap: ClickHouse only adds up what it knows of the parts.
func (s *sampler) stored(ctx context.Context) (rows, parts uint64) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = s.stack.ClickHouse.Conn.QueryRow(ctx,
		"SELECT toUInt64(ifNull(total_rows, 0)), toUInt64(ifNull(active_parts, 0)) FROM system.tables WHERE database = ? AND name = ?",
		s.stack.Database, s.table).Scan(&rows, &parts)
	return rows, parts
}

func (s *sampler) routines() map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range s.stack.Collectors {
		if c.MetricsURL == "" {
			continue
		}
		if m, err := harness.ReadMetrics(c.MetricsURL); err == nil {
			out[c.Name] = uint64(m.Sum("nginx_gateway_goroutines", nil))
		}
	}
	return out
}

// print shows stored rows, their rate, cores and memory of each process.
func (s *sampler) print(now report.Sample) {
	before := report.Sample{CPU: map[string]float64{}}
	if n := len(s.samples); n > 0 {
		before = s.samples[n-1]
	}
	seconds := max(now.Seconds-before.Seconds, 1e-3)
	var line strings.Builder
	fmt.Fprintf(&line, "%4.0fs  stored %d", now.Seconds, now.Stored)
	if s.expected > 0 {
		fmt.Fprintf(&line, " of %d", s.expected)
	}
	if now.Stored >= before.Stored {
		fmt.Fprintf(&line, " (%.0f/s)", float64(now.Stored-before.Stored)/seconds)
	}
	fmt.Fprintf(&line, "  parts %d", now.Parts)
	for _, p := range s.processes {
		fmt.Fprintf(&line, "  %s %.2f core %d MiB", p.Name, (now.CPU[p.Name]-before.CPU[p.Name])/seconds, now.RSS[p.Name]>>20)
	}
	fmt.Fprintln(s.progress, line.String())
}
