package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/proc"
	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// conclude counts rows, and works out the figures.
func (r *run) conclude(ctx context.Context) error {
	if r.BeforeCount != nil {
		if err := r.BeforeCount(r.stack); err != nil {
			return err
		}
	}
	r.processes()
	r.foreign()
	fmt.Fprintf(r.opts.Progress, "%s: counting\n", r.Name)
	if err := r.count(ctx); err != nil {
		return err
	}
	r.perRow()
	r.series()
	r.result.Errors = r.errors()
	return nil
}

// count looks at every row, where there are rows to tell apart.
func (r *run) count(ctx context.Context) (err error) {
	if !r.isCounted() {
		r.result.Rows = count.Rows{Sent: r.sent.Sent(), Stored: r.sent.Sent(), Unique: r.sent.Sent()}
		r.result.RowsPerSecond = float64(r.sent.Sent()) / max(r.result.StoredSeconds, 1e-3)
		r.result.Inserts, err = count.FindInserts(ctx, r.stack.ClickHouse.Conn, r.table)
		return err
	}
	writers, err := count.Writers(ctx, r.stack.ClickHouse.Conn, r.table)
	if err != nil {
		return err
	}
	r.result.Rows = count.Sum(writers, r.sent.Sent())
	r.result.RowsPerSecond = float64(r.result.Rows.Stored) / max(r.result.StoredSeconds, 1e-3)
	if r.result.Rows.Stored > 0 {
		ages, err := count.FindAges(ctx, r.stack.ClickHouse.Conn, r.table)
		if err != nil {
			return err
		}
		r.result.Ages = &ages
	}
	if r.result.Inserts, err = count.FindInserts(ctx, r.stack.ClickHouse.Conn, r.table); err != nil {
		return err
	}
	return r.others(ctx)
}

// others are the tables beside the one of rows.
func (r *run) others(ctx context.Context) (err error) {
	if r.Path == OTLP {
		return nil
	}
	if r.Spans {
		spans, err := count.FindSpans(ctx, r.stack.ClickHouse.Conn, r.stack.Database)
		if err != nil {
			return err
		}
		r.result.Spans = &spans
	}
	r.result.Samples.Sent = r.sent.Metrics
	r.result.Samples.Stored, err = count.HowMany(ctx, r.stack.ClickHouse.Conn, r.stack.Database+".nginx_metrics")
	return err
}

func (r *run) processes() {
	for _, p := range r.stack.Processes() {
		cpu := r.last[p.Name].CPU - r.sampler.zero[p.Name]
		r.result.Processes = append(r.result.Processes, r.process(p.Name, cpu, r.peaks[p.Name]))
	}
	for _, g := range r.generators {
		r.result.Processes = append(r.result.Processes, r.process(g.Name, g.CPU(), g.Peak()))
	}
	now := proc.Self()
	r.result.Processes = append(r.result.Processes, r.process("bench", now.CPU-r.self.CPU, now.RSS))
}

func (r *run) process(name string, cpu time.Duration, peak int64) report.Process {
	p := report.Process{Name: name, CPUSeconds: cpu.Seconds(), Cores: cpu.Seconds() / max(r.result.SendSeconds, 1e-3), PeakRSS: peak}
	for _, s := range r.result.Series {
		p.PeakAnon = max(p.PeakAnon, s.Anon[name])
	}
	return p
}

func (r *run) perRow() {
	rows := float64(r.result.Rows.Stored)
	for i := range r.result.Processes {
		if p := &r.result.Processes[i]; rows > 0 && p.CPUSeconds > 0 {
			p.RowsPerCPU, p.MicrosPerRow = rows/p.CPUSeconds, p.CPUSeconds*1e6/rows
		}
	}
}

// series works out ranges and growth from the samples taken while rows were sent.
func (r *run) series() {
	var during []report.Sample
	for _, s := range r.result.Series {
		if s.Seconds <= r.result.SendSeconds {
			during = append(during, s)
		}
	}
	r.result.Parts = report.PartsOf(during)
	if len(during) < 30 {
		return // too short to tell growth from the beginning
	}
	for _, c := range r.stack.Collectors {
		r.result.Growth = append(r.result.Growth,
			report.GrowthOf(during, c.Name+" RSS, MiB", func(s report.Sample) (float64, bool) {
				v, ok := s.RSS[c.Name]
				return float64(v) / (1 << 20), ok
			}),
			report.GrowthOf(during, c.Name+" goroutines", func(s report.Sample) (float64, bool) {
				v, ok := s.Routines[c.Name]
				return float64(v), ok && v > 0
			}))
	}
	r.result.Growth = append(r.result.Growth, report.GrowthOf(during, "active parts", func(s report.Sample) (float64, bool) {
		return float64(s.Parts), true
	}))
}

// troubles are words in the names of counters that must not count when nothing is wrong.
var troubles = []string{"dropped", "refused", "lost", "dead_letter", "failures", "failed", "deduplicated", "unparsed", "limits_reached", "retries"}

// errors collects everything that the gateways and generators counted as wrong.
func (r *run) errors() map[string]uint64 {
	found := map[string]uint64{}
	add := func(name string, n uint64) {
		if n > 0 {
			found[name] += n
		}
	}
	for _, c := range r.stack.Collectors {
		if c.MetricsURL == "" {
			continue
		}
		metrics, err := harness.ReadMetrics(c.MetricsURL)
		if err != nil {
			add("metrics that cannot be read", 1)
		}
		for name := range metrics {
			for _, word := range troubles {
				if strings.Contains(name, word) {
					addTrouble(add, metrics, name)
					break
				}
			}
		}
	}
	add("rows due and not sent", r.sent.Unsent)
	add("broken streams", r.sent.Broken)
	add("failed connects", r.sent.Failed)
	add("requests sent again", uint64(len(r.sent.Resent)))
	add("requests never acknowledged", uint64(len(r.sent.Open)))
	return found
}

// held is how often agents were held back, which is what a burst is for.
func held(metrics harness.Metrics, name string) uint64 {
	if !strings.Contains(name, "limits_reached") {
		return 0
	}
	return uint64(metrics.Sum(name, map[string]string{"limit": "pending_bytes"}))
}

// addTrouble adds a counter, with a number for each code of ClickHouse where it has codes: 252 is too many parts.
func addTrouble(add func(string, uint64), metrics harness.Metrics, name string) {
	codes := metrics.Values(name, "code")
	if len(codes) == 0 {
		add(name, uint64(metrics.Sum(name, nil))-held(metrics, name))
	}
	for _, code := range codes {
		add(fmt.Sprintf("%s{code=%q}", name, code), uint64(metrics.Sum(name, map[string]string{"code": code})))
	}
}

func tail(path string) string { return localstack.Tail(path, 15) }
