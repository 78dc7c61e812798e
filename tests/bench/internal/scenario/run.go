package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
	"github.com/avika-ai/avika-collector/tests/bench/internal/proc"
	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// Options of a run that are not the scenario's.
type Options struct {
	Root     string    // of the repository
	Dir      string    // for data and profiles; data are removed in the end
	Tables   string    // a folder on the disk that ClickHouse's tables shall be on; empty: they are in Dir
	Progress io.Writer // a line each second
	Command  string    // that repeats the run, for the result
	// Settle is how long ClickHouse's CPU time is counted after the last row, so that merges are part of the price; default 5 s.
	Settle time.Duration
}

// Run starts the servers, sends the load, waits until it is stored, and counts.
func Run(ctx context.Context, s Scenario, opts Options) (result report.Result, err error) {
	if err := s.Validate(); err != nil {
		return result, err
	}
	if opts.Settle == 0 {
		opts.Settle = 5 * time.Second
	}
	dir, err := os.MkdirTemp(opts.Dir, "bench-")
	if err != nil {
		return result, fmt.Errorf("make a folder for the data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tables, err := makeTables(opts.Tables, dir)
	if err != nil {
		return result, fmt.Errorf("make a folder for ClickHouse's tables: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tables)) }()
	r := &run{Scenario: s, opts: opts, dir: dir}
	r.result = report.Result{
		Name: s.Name, Command: opts.Command, Began: time.Now(), Machine: report.ThisMachine(tables),
		Versions: report.RepositoryVersions(opts.Root, filepath.Join(opts.Root, "bin", "otelcol-avika")),
	}
	if err := r.startStack(ctx); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, r.stack.Stop()) }()
	if err := r.measure(ctx); err != nil {
		return result, errors.Join(err, r.logs())
	}
	return r.result, nil
}

// makeTables makes the folder that ClickHouse keeps its tables in, on another disk when one is given.
func makeTables(disk, dir string) (string, error) {
	here := filepath.Join(dir, stack.ClickHouseDir)
	if disk == "" {
		return here, os.Mkdir(here, 0o755)
	}
	disk, err := filepath.Abs(disk)
	if err != nil {
		return "", err
	}
	there, err := os.MkdirTemp(disk, "bench-")
	if err != nil {
		return "", err
	}
	return there, os.Symlink(there, here)
}

// run is a scenario under way.
type run struct {
	Scenario
	opts  Options
	dir   string
	stack *stack.Stack
	table count.Table

	generators []*load.Generator
	sampler    *sampler
	last       map[string]proc.Usage
	self       proc.Usage       // this program before the first row
	machine    [2]time.Duration // busy and stolen before the first row
	peaks      map[string]int64
	sent       load.Summary
	result     report.Result
}

func (r *run) startStack(ctx context.Context) (err error) {
	fmt.Fprintf(r.opts.Progress, "%s: starting servers\n", r.Name)
	options := stack.Options{
		Dir: r.dir, Root: r.opts.Root, Subject: r.Subject, Profile: r.Profile, Queue: r.Queue, Spans: r.Spans,
		Replicas: r.Replicas, Env: r.Env, Set: r.Set, Binary: r.Binary, Queued: r.Path == Queued,
	}
	if r.stack, err = stack.Start(ctx, options); err != nil {
		return err
	}
	r.table = r.Scenario.table(r.stack.Database)
	r.result.Versions.ClickHouse = r.stack.ClickHouse.Version
	r.result.Settings = map[string]any{
		"scenario": r.describe(), "gateway_environment": options.GatewayEnv(), "gateway_set": r.Set,
	}
	return nil
}

// describe is the scenario without what only matters while it runs.
func (s *Scenario) describe() map[string]any {
	return map[string]any{
		"path": s.Path, "agents": s.Agents, "rate": s.Rate, "total": s.Total, "duration": s.Duration.String(), "records": s.Records,
		"rows_per_request": s.Rows, "subject": s.Subject, "profile": s.Profile, "queue": s.Queue, "spans": s.Spans, "samples": s.Samples, "replicas": s.Replicas,
	}
}

func (r *run) measure(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	processes := r.stack.Processes()
	r.sampler = &sampler{
		stack: r.stack, table: r.table.Name[strings.IndexByte(r.table.Name, '.')+1:], processes: processes,
		expected: r.expected(), progress: r.opts.Progress, began: time.Now(), zero: map[string]time.Duration{},
	}
	for _, p := range processes {
		u, err := proc.Read(p.PID())
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		r.sampler.zero[p.Name] = u.CPU
	}
	r.self = proc.Self()
	r.machine[0], r.machine[1] = proc.Machine()
	if err := r.startGenerators(); err != nil {
		return err
	}
	r.sampler.start(ctx)
	profiled := r.profile(ctx)
	if err := r.waitForLoad(ctx); err != nil {
		return err
	}
	r.result.Series = r.sampler.end()
	if err := <-profiled; err != nil {
		return err
	}
	return r.conclude(ctx)
}

func (r *run) startGenerators() (err error) {
	if r.Subject == stack.Inserts {
		r.generators, err = r.insertBlocks()
		return err
	}
	r.generators, err = r.drive(r.opts.Root, r.stack.Collectors)
	return err
}

func (r *run) prepare(ctx context.Context) error {
	if r.Subject == stack.Receive {
		return nil
	}
	if err := r.waitForTable(ctx); err != nil || r.Subject != stack.Inserts {
		return err
	}
	return r.takeBlock(ctx)
}

// waitForTable waits until the gateway has made its tables, and makes them remember inserts.
func (r *run) waitForTable(ctx context.Context) error {
	const patience = 30 * time.Second
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = r.stack.Watch(ctx, r.table); err == nil {
			time.Sleep(time.Second) // the other tables
			return nil
		}
	}
	return fmt.Errorf("%s is not there after %s: %w", r.table.Name, patience, err)
}

// waitForLoad waits for the generators, then until what they sent is stored, or nothing has come for a while.
func (r *run) waitForLoad(ctx context.Context) error {
	for _, g := range r.generators {
		one, err := g.Wait(ctx)
		if err != nil {
			return err
		}
		r.sent.Add(&one)
	}
	r.result.SendSeconds = time.Since(r.sampler.began).Seconds()
	const quiet = 20 * time.Second
	var before uint64
	for changed := time.Now(); r.Subject != stack.Receive && time.Since(changed) < quiet && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		stored, _ := r.sampler.stored(ctx)
		if stored >= r.sent.Sent() {
			break
		}
		if stored != before {
			before, changed = stored, time.Now()
		}
	}
	r.result.StoredSeconds = time.Since(r.sampler.began).Seconds()
	r.waitForBuffers()
	return r.usage(ctx)
}

// waitForBuffers waits until the gateways hold nothing any more: spans and samples take other ways than the rows.
func (r *run) waitForBuffers() {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && r.buffered() > 0; time.Sleep(100 * time.Millisecond) {
	}
}

func (r *run) buffered() (rows float64) {
	for _, c := range r.stack.Collectors {
		if c.MetricsURL == "" {
			continue
		}
		if m, err := harness.ReadMetrics(c.MetricsURL); err == nil {
			rows += m.Sum("otelcol_exporter_ch_batch_buffer_rows", nil)
		}
	}
	return rows
}

// usage reads what processes have used: gateways now, ClickHouse after it has settled.
func (r *run) usage(ctx context.Context) (err error) {
	r.last, r.peaks = map[string]proc.Usage{}, map[string]int64{}
	read := func(p stack.Process) {
		u, rerr := proc.Read(p.PID())
		peak, perr := proc.PeakRSS(p.PID())
		r.last[p.Name], r.peaks[p.Name] = u, peak
		err = errors.Join(err, rerr, perr)
	}
	for _, c := range r.stack.Collectors {
		read(c.Process)
	}
	select {
	case <-time.After(r.opts.Settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, p := range r.stack.Processes()[len(r.stack.Collectors):] {
		read(p)
	}
	return err
}

// foreign is what other programs of the machine, and its host, took meanwhile, in cores: figures are only as good as this
// is small.
func (r *run) foreign() {
	busy, stolen := proc.Machine()
	seconds := time.Since(r.sampler.began).Seconds()
	ours := 0.0
	for _, p := range r.result.Processes {
		ours += p.CPUSeconds
	}
	r.result.Others = max(0, (busy-r.machine[0]).Seconds()-ours) / seconds
	r.result.Stolen = (stolen - r.machine[1]).Seconds() / seconds
}

// logs shows the ends of the logs when something went wrong.
func (r *run) logs() error {
	var all []string
	for _, c := range r.stack.Collectors {
		all = append(all, c.Name+":\n"+tail(c.LogFile))
	}
	return errors.New(strings.Join(append(all, "ClickHouse:\n"+tail(r.stack.ClickHouse.LogFile())), "\n"))
}
