// Quickstart is what `make run` starts: ClickHouse, the gateway, an NGINX with some traffic and an agent on it, all on
// this machine, until Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/avika-ai/avika-collector/internal/localstack/engine"
)

// engineCommand makes this program hold ClickHouse's engine; it starts itself so.
const engineCommand = "clickhouse-engine"

func main() {
	if len(os.Args) > 1 && os.Args[1] == engineCommand {
		exit(engine.Main(os.Args[2:]))
	}
	opts, err := parseOptions(os.Args[1:], os.Getenv)
	if err != nil {
		exit(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	exit(run(ctx, opts, newScreen(os.Stdout)))
}

func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	os.Exit(1)
}

// run brings everything up, shows the status until ctx ends or a part fails, and takes everything down.
func run(ctx context.Context, opts options, screen *screen) error {
	s := &stack{opts: opts, screen: screen}
	err := s.up(ctx)
	if err == nil {
		screen.say("%s", opts.addresses(s.nginx != nil))
		err = s.watch(ctx)
	}
	if ctx.Err() != nil {
		err = nil // asked to stop, perhaps while still starting
	}
	return errors.Join(err, s.down())
}
