package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// Options of a run under faults.
type Options struct {
	Seed     uint64
	Duration time.Duration
	Rate     float64 // rows a second of each of the two ways
	Gateways int
	Env      []string // further settings of the gateways

	Root     string // of the repository
	Dir      string // for data, which are removed in the end
	Progress io.Writer
}

// What the loads are made of.
const (
	agentsPerGateway = 10
	otlpClients      = 16
	otlpRows         = 200
	otlpRun          = 0x0171a
	agentRun         = 0xa9e27
	// patience is how long everything that waits may take to be stored once the faults are over.
	patience = 3 * time.Minute
)

// Run sends rows over OTLP and over the Avika protocol through gateways with gateway.yaml, follows the plan, and
// counts when everything is stored.
func Run(ctx context.Context, opts Options) (v Verdict, err error) {
	dir, err := os.MkdirTemp(opts.Dir, "faults-")
	if err != nil {
		return v, fmt.Errorf("make a folder for the data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	servers, err := stack.Start(ctx, stack.Options{
		Dir: dir, Root: opts.Root, Subject: stack.Gateway, Profile: stack.Default, Queue: stack.Disk, Spans: true,
		Replicas: opts.Gateways, Env: opts.Env,
	})
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, servers.Stop()) }()
	r := &run{opts: opts, stack: servers, table: count.AccessLogs(servers.Database)}
	r.injector = &injector{stack: servers, dir: dir, progress: opts.Progress}
	if err := r.all(ctx); err != nil {
		return v, errors.Join(err, r.logs())
	}
	return r.verdict(ctx)
}

type run struct {
	opts     Options
	stack    *stack.Stack
	table    count.Table
	injector *injector

	otlp, agents load.Summary
	breaks       [][]load.Break // of the agents of each gateway
}

func (r *run) all(ctx context.Context) error {
	clients, agents, err := r.startLoads()
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.injector.revive(background) })
	watching.Go(func() { r.progress(background) })
	defer watching.Wait()
	defer stop()
	plan := NewPlan(r.opts.Seed, r.opts.Duration, r.opts.Gateways)
	if err := r.injector.run(ctx, plan); err != nil {
		return err
	}
	if r.otlp, err = clients.Wait(ctx); err != nil {
		return err
	}
	for _, g := range agents {
		one, err := g.Wait(ctx)
		if err != nil {
			return err
		}
		r.agents.Add(&one)
		r.breaks = append(r.breaks, one.Breaks)
	}
	return r.waitUntilStored(ctx)
}

func (r *run) startLoads() (clients *load.Generator, agents []*load.Generator, err error) {
	cfg := otlpload.Config{
		Rate: r.opts.Rate, Duration: r.opts.Duration, Clients: otlpClients, Rows: otlpRows, Run: otlpRun,
		Event: "nginx.access", Timeout: 10 * time.Second, GiveUp: patience,
	}
	for i, c := range r.stack.Collectors {
		cfg.Addrs = append(cfg.Addrs, c.OTLPAddr)
		rate := r.opts.Rate / float64(r.opts.Gateways*agentsPerGateway)
		name := fmt.Sprintf("web%d", i+1)
		g, err := load.StartAgents(r.opts.Root, "agentsim "+name, "--gateway", c.AgentAddr, "--agents", strconv.Itoa(agentsPerGateway),
			"--rate", strconv.FormatFloat(rate, 'f', -1, 64), "--duration", r.opts.Duration.String(), "--drain", patience.String(),
			"--agent-id", name, "--hostname", name, "--run-id", fmt.Sprintf("%x", agentRun+i))
		if err != nil {
			return nil, nil, err
		}
		agents = append(agents, g)
	}
	clients, err = load.StartOTLP(cfg)
	return clients, agents, err
}

// waitUntilStored waits until no gateway holds rows any more.
func (r *run) waitUntilStored(ctx context.Context) error {
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		if r.held() == 0 {
			return nil
		}
	}
	return fmt.Errorf("gateways still hold %.0f rows after %s", r.held(), patience)
}

// held counts a gateway that does not answer as one that holds something.
func (r *run) held() (rows float64) {
	for _, c := range r.stack.Collectors {
		m, err := harness.ReadMetrics(c.MetricsURL)
		if err != nil {
			return 1
		}
		rows += m.Sum("otelcol_exporter_ch_batch_buffer_rows", nil) + m.Sum("otelcol_receiver_avika_pending", nil)
	}
	return rows
}

// progress prints a line each second.
func (r *run) progress(ctx context.Context) {
	for began := time.Now(); sleep(ctx, time.Second); {
		ask, cancel := context.WithTimeout(ctx, time.Second)
		stored, err := count.HowMany(ask, r.stack.ClickHouse.Conn, r.table.Name)
		cancel()
		state := fmt.Sprintf("stored %d", stored)
		if err != nil {
			state = "ClickHouse does not answer"
		}
		fmt.Fprintf(r.opts.Progress, "%4.0fs  %s\n", time.Since(began).Seconds(), state)
	}
}

// logs shows the ends of the logs when something went wrong.
func (r *run) logs() error {
	var errs []error
	for _, c := range r.stack.Collectors {
		errs = append(errs, fmt.Errorf("%s:\n%s", c.Name, localstack.Tail(c.LogFile, 15)))
	}
	return errors.Join(append(errs, fmt.Errorf("ClickHouse:\n%s", localstack.Tail(r.stack.ClickHouse.LogFile(), 15)))...)
}
