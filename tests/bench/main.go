// Bench measures the gateway on fresh, real servers of this machine. `bench --help` shows its commands.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/avika-ai/avika-collector/tests/bench/internal/floor"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
)

const help = `bench measures the gateway: one command starts ClickHouse, PostgreSQL and gateways fresh, drives them, counts every row
by its id, and writes the result as a table and as JSON. Build first: make build bin/bench

  bench run [NAME] [OPTIONS]      one scenario; bench run --help shows names and options
  bench short                     the targets in under five minutes; make bench
  bench full                      the targets at their full length; make bench-full
  bench compare                   the same OTLP rows through contrib's exporter and ours; make bench-compare
  bench faults [OPTIONS]          random faults under load; bench faults --help shows options; make bench-faults
  bench scale [OPTIONS]           the gateway from 10 to 10,000 agents; bench scale --help shows options; make bench-scale

Results go to .local/bench at the root of the repository.
Exit codes: 0 done and no row lost or doubled, 1 otherwise, 2 wrong options.
`

// command is one of bench's.
type command func(ctx context.Context, args []string) error

var commands = map[string]command{
	"run":                runCommand,
	"short":              suiteCommand("short"),
	"full":               suiteCommand("full"),
	"compare":            suiteCommand("compare"),
	"faults":             faultsCommand,
	"scale":              scaleCommand,
	floor.ReceiveCommand: floor.RunReceiveCommand,
	floor.InsertCommand:  floor.RunInsertCommand,
	load.OTLPCommand:     load.RunOTLPCommand,
}

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--help" || os.Args[1] == "-h" || os.Args[1] == "help" {
		fmt.Print(help)
		return
	}
	run, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "bench: unknown command %q\n\n%s", os.Args[1], help)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[2:])
	stop()
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	var wrong usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

// usageError is a wrong option.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
