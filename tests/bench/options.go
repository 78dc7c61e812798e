package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/bench/internal/scenario"
)

const runHelp = `bench run [NAME] [OPTIONS]: a scenario by its name, changed by options

Names
%s
Load
  --path direct|queued|otlp agents over the Avika protocol, straight or through Kafka (AVIKA_KAFKA_LIBS), or OTLP clients that
                            wait for acknowledgements (direct)
  --agents N                agents, or OTLP clients (100)
  --rate R                  rows a second of each agent (1000); with otlp of all clients; max: as fast as they go
  --total N                 rows of all, then it ends
  --duration D              (30s)
  --samples=false           agents send no metrics (each sends a sample a second)
  --records access|otel     otlp: NGINX's records, or others (access)
  --rows N                  otlp: rows per request (1000)

What is measured
  --subject gateway|ours|contrib|receive|inserts
                            gateway.yaml (default); with otlp, ch_batch or contrib's exporter as tests/peer compares them;
                            floors: a gRPC server that only receives, encoded blocks of 50,000 rows that only are inserted
  --profile default|enterprise
                            the shipped defaults, or the enterprise settings of the scaling guide (default)
  --queue disk|memory       where the gateway keeps rows that wait (disk, as shipped)
  --spans=false             no spans of access records (they are made, as shipped)
  --replicas N              gateways, agents divided between them (1)
  --env NAME=VALUE          a further setting of the gateway; may be repeated
  --set KEY=VALUE           a changed key of its configuration, as the collector's --set takes it; may be repeated
  --binary FILE             another gateway, to compare with (bin/otelcol-avika)
  --tables DIR              a folder on the disk that ClickHouse's tables shall be on (in that of --out)
  --pprof D                 CPU profile of the first gateway for so long, written beside the result

Result
  --out DIR                 where NAME.json goes (.local/bench at the root of the repository)
`

// preset scenarios are the targets of docs/benchmarks.md.
var presets = map[string]struct {
	what   string
	change func(*scenario.Scenario)
}{
	"enterprise": {"100 agents × 1000 rows/s, the guide's enterprise load and settings", func(s *scenario.Scenario) {
		s.Profile, s.Duration = "enterprise", 10*time.Minute
	}},
	"burst": {"2,000,000 rows as fast as they go", func(s *scenario.Scenario) {
		s.Profile, s.Rate, s.Total, s.Duration = "enterprise", scenario.Unlimited, 2_000_000, 0
	}},
	"fleet": {"10,000 agents with nothing but heartbeats and metrics each second", func(s *scenario.Scenario) {
		s.Agents, s.Rate, s.Duration = 10_000, 0, time.Minute
	}},
	"soak": {"100 agents × 200 rows/s for ten minutes: what grows?", func(s *scenario.Scenario) {
		s.Rate, s.Duration = 200, 10*time.Minute
	}},
	"queued": {"100 agents × 200 rows/s through Kafka", func(s *scenario.Scenario) {
		s.Path, s.Rate = scenario.Queued, 200
	}},
	"otlp": {"OTLP clients, 20,000 rows/s", func(s *scenario.Scenario) {
		s.Path, s.Agents, s.Rate = scenario.OTLP, 8, 20_000
	}},
}

type options struct {
	scenario.Scenario
	out, tables string
}

// parseRun reads the name and the options of one scenario.
func parseRun(args []string) (options, error) {
	o := options{Scenario: scenario.New()}
	o.Name = "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		p, ok := presets[args[0]]
		if !ok {
			return o, usageError{fmt.Errorf("unknown scenario %q: want one of %s", args[0], strings.Join(names(), ", "))}
		}
		o.Name = args[0]
		p.change(&o.Scenario)
		args = args[1:]
	}
	fs := o.flags()
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			printRunHelp()
			return o, flag.ErrHelp
		}
		return o, usageError{err}
	}
	if fs.NArg() > 0 {
		return o, usageError{fmt.Errorf("unexpected argument %q", fs.Arg(0))}
	}
	if err := o.Validate(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.Name, "name", o.Name, "")
	fs.StringVar(&o.Path, "path", o.Path, "")
	fs.IntVar(&o.Agents, "agents", o.Agents, "")
	fs.Func("rate", "", o.setRate)
	fs.Int64Var(&o.Total, "total", o.Total, "")
	fs.DurationVar(&o.Duration, "duration", o.Duration, "")
	fs.StringVar(&o.Records, "records", o.Records, "")
	fs.IntVar(&o.Rows, "rows", o.Rows, "")
	fs.StringVar(&o.Subject, "subject", o.Subject, "")
	fs.StringVar(&o.Profile, "profile", o.Profile, "")
	fs.StringVar(&o.Queue, "queue", o.Queue, "")
	fs.BoolVar(&o.Spans, "spans", o.Spans, "")
	fs.BoolVar(&o.Samples, "samples", o.Samples, "")
	fs.IntVar(&o.Replicas, "replicas", o.Replicas, "")
	fs.Func("env", "", func(v string) error { o.Env = append(o.Env, v); return nil })
	fs.Func("set", "", func(v string) error { o.Set = append(o.Set, v); return nil })
	fs.StringVar(&o.Binary, "binary", "", "")
	fs.DurationVar(&o.Pprof, "pprof", 0, "")
	fs.StringVar(&o.out, "out", "", "")
	fs.StringVar(&o.tables, "tables", "", "")
	return fs
}

func (o *options) setRate(v string) error {
	if v == "max" {
		o.Rate = scenario.Unlimited
		return nil
	}
	rate, err := strconv.ParseFloat(v, 64)
	if err != nil || rate < 0 {
		return fmt.Errorf("%q: want rows a second, or max", v)
	}
	o.Rate = rate
	return nil
}

func names() []string { return slices.Sorted(maps.Keys(presets)) }

func printRunHelp() {
	var list strings.Builder
	for _, name := range names() {
		fmt.Fprintf(&list, "  %-12s %s\n", name, presets[name].what)
	}
	fmt.Printf(runHelp, list.String())
}

// outDir makes the folder for results.
func outDir(given string) (root, dir string, err error) {
	root, err = localstack.RepositoryRoot()
	if err != nil {
		return "", "", err
	}
	if given == "" {
		given = filepath.Join(root, ".local", "bench")
	}
	if err := os.MkdirAll(given, 0o755); err != nil {
		return "", "", fmt.Errorf("make the folder for results: %w", err)
	}
	return root, given, nil
}
