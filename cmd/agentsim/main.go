// Command agentsim is a simulated Avika agent: one on a real NGINX, or a fleet of thousands with made-up traffic.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
