// Command avika-topics creates the topics of the queue, and reports those that are not as wanted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/avika-ai/avika-collector/cmd/avika-topics/internal/connect"
	"github.com/avika-ai/avika-collector/cmd/avika-topics/internal/topics"
)

// Exit codes.
const (
	exitOK        = 0
	exitFailed    = 1 // could not do what was asked
	exitUsage     = 2
	exitDifferent = 3 // a topic has other settings than wanted
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout, os.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "avika-topics: %v\nSee avika-topics --help.\n", err)
		return exitUsage
	}
	found, err := o.ensure(ctx, stderr)
	for _, t := range found {
		fmt.Fprintln(stdout, t)
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "avika-topics: %v\n", err)
		return exitFailed
	case topics.AnyDifferent(found):
		fmt.Fprintln(stderr, "avika-topics: topics differ from what is wanted; --alter changes what can be changed")
		return exitDifferent
	}
	return exitOK
}

func (o *options) ensure(ctx context.Context, progress io.Writer) ([]topics.Topic, error) {
	security, err := connect.Security(ctx, o.sasl, o.tls)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(security, kgo.SeedBrokers(o.brokers...), kgo.ClientID("avika-topics"),
		kgo.MetadataMinAge(10*time.Millisecond))...) // it looks at what it has just changed
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := connect.Wait(ctx, client, o.wait, progress); err != nil {
		return nil, err
	}
	return topics.Ensure(ctx, kadm.NewClient(client), o.wanted, o.mode)
}
