// Localstack runs a command with real servers beside it: ClickHouse, PostgreSQL and NGINX on free loopback ports.
//
//	localstack exec [--clickhouse] [--postgres] [--nginx] -- COMMAND [ARGUMENT...]
//	localstack clickhouse --path DIR --tcp-port PORT --http-port PORT [--config-file FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/avika-ai/avika-collector/internal/localstack/engine"
)

const usage = `Usage:
  localstack exec [--clickhouse] [--postgres] [--nginx] -- COMMAND [ARGUMENT...]
      starts the servers on free loopback ports with temporary data, runs COMMAND, stops the servers and exits with
      COMMAND's exit code. COMMAND finds in its environment
        AVIKA_TEST_CLICKHOUSE       host:port, native protocol
        AVIKA_TEST_CLICKHOUSE_HTTP  host:port, HTTP
        AVIKA_TEST_POSTGRES         DSN of a superuser on an empty database
        AVIKA_TEST_NGINX            host:port, answers 200 and has /nginx_status
  localstack clickhouse --path DIR --tcp-port PORT --http-port PORT [--config-file FILE] [--library FILE]
      serves until standard input closes.
`

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--help" || os.Args[1] == "-h" || os.Args[1] == "help" {
		fmt.Print(usage)
		return
	}
	var err error
	switch os.Args[1] {
	case "exec":
		err = runExec(os.Args[2:])
	case "clickhouse":
		err = engine.Main(os.Args[2:])
	default:
		err = fmt.Errorf("unknown command %q\n%s", os.Args[1], usage)
	}
	os.Exit(exitCode(err))
}

// exitCode passes on the code of the command; anything else that failed is 1 and said on standard error.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "localstack:", err)
	return 1
}

func runExec(args []string) error {
	flags := newFlags("exec")
	clickhouse := flags.Bool("clickhouse", false, "start ClickHouse")
	postgres := flags.Bool("postgres", false, "start PostgreSQL")
	nginx := flags.Bool("nginx", false, "start NGINX")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no command to run")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var s stack
	defer s.stop()
	if err := s.start(ctx, *clickhouse, *postgres, *nginx); err != nil {
		return err
	}
	return command(ctx, flags.Args(), s.env)
}

// command runs with the terminal of this process; an interrupt is passed on.
func command(ctx context.Context, args, env []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet("localstack "+name, flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage) }
	return flags
}
