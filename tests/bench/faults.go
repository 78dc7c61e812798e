package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/fault"
	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
)

const faultsHelp = `bench faults [OPTIONS]: random faults under load, and what came of every row

Rows go through gateways with gateway.yaml, from OTLP clients that wait for acknowledgements and send again, and from
agents, whose protocol has none. Meanwhile ClickHouse is killed and paused, gateways are killed and restarted, PostgreSQL is
killed, and the disk is kept busy. Then rows are counted by their ids.

  --seed N        of the plan of faults; the same seed, the same plan (1)
  --duration D    (5m)
  --rate R        rows a second, over OTLP and over the Avika protocol each (20000)
  --gateways N    (2)
  --env NAME=VAL  a further setting of the gateways; may be repeated
  --out DIR       where faults-SEED.json goes (.local/bench at the root of the repository)

Exit codes: 0 nothing acknowledged was lost or doubled, 1 otherwise, 2 wrong options.
`

func parseFaults(args []string) (opts fault.Options, out string, err error) {
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Uint64Var(&opts.Seed, "seed", 1, "")
	fs.DurationVar(&opts.Duration, "duration", 5*time.Minute, "")
	fs.Float64Var(&opts.Rate, "rate", 20_000, "")
	fs.IntVar(&opts.Gateways, "gateways", 2, "")
	fs.Func("env", "", func(v string) error { opts.Env = append(opts.Env, v); return nil })
	fs.StringVar(&out, "out", "", "")
	err = fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(faultsHelp)
		return opts, out, flag.ErrHelp
	case err != nil:
		return opts, out, usageError{err}
	case fs.NArg() > 0:
		return opts, out, usageError{fmt.Errorf("unexpected argument %q", fs.Arg(0))}
	case opts.Rate <= 0 || opts.Gateways < 1 || opts.Duration < 20*time.Second:
		return opts, out, usageError{errors.New("want --rate above 0, --gateways 1 or more, --duration 20s or more")}
	}
	return opts, out, nil
}

func faultsCommand(ctx context.Context, args []string) error {
	opts, out, err := parseFaults(args)
	if err != nil {
		return err
	}
	if opts.Root, opts.Dir, err = outDir(out); err != nil {
		return err
	}
	opts.Progress = os.Stderr
	verdict, err := fault.Run(ctx, opts)
	if err != nil {
		return err
	}
	verdict.WriteText(os.Stdout)
	path := filepath.Join(opts.Dir, fmt.Sprintf("faults-%d.json", opts.Seed))
	if err := report.WriteJSON(path, verdict); err != nil {
		return err
	}
	fmt.Printf("\nthe whole result: %s\n", path)
	return verdict.Err()
}
