package fleet

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/traffic"
)

// Run simulates the fleet until it has sent everything, or ctx ends. Progress gets a line each second.
func Run(ctx context.Context, cfg Config, progress io.Writer) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	f := &fleet{cfg: cfg, rows: traffic.NewSet(cfg.Seed, cfg.Format), began: time.Now()}
	f.totals.commands = map[string]int64{}
	cpu := cpuSeconds()
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(cfg.Drain, cancel) })()
	done := make(chan struct{})
	go func() { defer close(done); f.runAgents(ctx, hard) }()
	f.showProgress(done, progress)
	return f.totals.report(&cfg, time.Since(f.began), cpuSeconds()-cpu), nil
}

type fleet struct {
	cfg    Config
	rows   *traffic.Set
	began  time.Time
	totals totals
}

// runAgents starts the agents at the connect rate and waits for all of them.
func (f *fleet) runAgents(ctx, hard context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for i := range f.cfg.Agents {
		if f.cfg.ConnectRate > 0 && !sleepUntil(ctx, f.began.Add(time.Duration(float64(i)/f.cfg.ConnectRate*1e9))) {
			return
		}
		a := newAgent(f, i)
		running.Go(func() { a.run(ctx, hard) })
	}
}

// sleepUntil says whether the time was reached before ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *fleet) showProgress(done <-chan struct{}, w io.Writer) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var entries, bytes int64
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		t := &f.totals
		nowEntries, nowBytes := t.sent[kindEntry].Load(), t.bytes.Load()
		fmt.Fprintf(w, "%4.0fs  agents %d/%d  log entries %d (%d/s, %.1f MB/s)  heartbeats %d  metrics %d  held back %.1fs  broken %d\n",
			time.Since(f.began).Seconds(), t.online.Load(), f.cfg.Agents, nowEntries, nowEntries-entries,
			float64(nowBytes-bytes)/1e6, t.sent[kindHeartbeat].Load(), t.sent[kindMetrics].Load(),
			time.Duration(t.stalled.Load()).Seconds(), t.broken.Load())
		entries, bytes = nowEntries, nowBytes
		if err := t.takeProblem(); err != nil {
			fmt.Fprintln(w, "      ", f.cfg.explain(err))
		}
	}
}

func (c *Config) explain(err error) string {
	if c.Problem == nil {
		return err.Error()
	}
	return c.Problem(err)
}

// cpuSeconds is the user and system time of this process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func sortedKeys(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }
