package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/agent"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/fleet"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // could not do what was asked
	exitUsage  = 2
)

// Main runs agentsim until it is done or ctx ends, and returns its exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "agentsim: %v\n", err)
		return exitUsage
	}
	dialer, err := o.dialer()
	if err != nil {
		fmt.Fprintf(stderr, "agentsim: %v\n", err)
		return exitUsage
	}
	if o.tail != "" {
		return o.runAgent(ctx, dialer, stdout, stderr)
	}
	return o.runFleet(ctx, dialer, stdout, stderr)
}

func (o *options) dialer() (link.Dialer, error) {
	d := link.Dialer{Target: o.gateway, Key: o.key, Transport: o.transportValue}
	if !o.tls {
		return d, nil
	}
	cfg, err := o.tlsFiles.Config()
	d.TLS = cfg
	return d, err
}

func (o *options) runAgent(ctx context.Context, d link.Dialer, stdout, stderr io.Writer) int {
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	summary, err := agent.Run(ctx, agent.Config{
		AccessLog: o.tail, ErrorLog: o.errorLog, StubStatus: o.stubStatus, NginxConf: o.nginxConf, StateDir: o.stateDir,
		Format: o.logFormat, FromStart: o.fromStart, AgentID: o.agentID, Hostname: o.hostname, Labels: o.labelMap,
		Heartbeat: o.heartbeat, Metrics: o.metrics, State: o.state, ReconnectWait: o.reconnect,
		BufferBytes: o.bufferMiB << 20, HonorUpdate: o.honorUpdate, Dialer: d,
		Log: slog.New(slog.NewTextHandler(stderr, nil)), Problem: func(err error) string { return err.Error() + advice(err, d) },
	})
	o.print(stdout, &summary)
	if err != nil {
		fmt.Fprintf(stderr, "agentsim: %v\n", err)
		return exitFailed
	}
	return exitOK
}

func (o *options) runFleet(ctx context.Context, d link.Dialer, stdout, stderr io.Writer) int {
	cfg := fleet.Config{
		Agents: o.agents, Rate: o.rateValue, Duration: o.duration, Total: o.total, Tick: o.tick, Seed: o.seed, Run: o.run,
		Heartbeat: o.heartbeat, Metrics: o.metrics, State: o.state, ConnectRate: o.connectRate,
		ReconnectWait: o.reconnect, Drain: o.drain, Format: o.logFormat, Labels: o.labelMap, AgentID: o.agentID,
		Hostname: o.hostname, HonorUpdate: o.honorUpdate, Dialer: d,
		Problem: func(err error) string { return err.Error() + advice(err, d) },
	}
	began := time.Now()
	report, err := fleet.Run(ctx, cfg, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "agentsim: %v\n", err)
		return exitUsage
	}
	o.print(stdout, &report)
	if report.Connects == 0 {
		fmt.Fprintf(stderr, "agentsim: no agent could connect within %v\n", time.Since(began).Round(time.Second))
		return exitFailed
	}
	if report.Unsent > 0 {
		return exitFailed
	}
	return exitOK
}

// print writes the summary as text, or as JSON alone, for scripts.
func (o *options) print(w io.Writer, summary interface{ WriteText(io.Writer) }) {
	if !o.json {
		summary.WriteText(w)
		return
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(summary) // a closed stdout is the reader's wish
}

const startGateway = "; is a gateway running there? start one (make run) or give --gateway host:port"

// advice says what to do about an error of the connection.
func advice(err error, d link.Dialer) string {
	switch statusOf(err) {
	case codes.Unauthenticated, codes.PermissionDenied:
		return "; check --psk (or AVIKA_PSK), this machine's clock, and whether the agent is approved"
	case codes.Unimplemented:
		return "; is " + d.Target + " the gateway's agent port (5020)?"
	case codes.ResourceExhausted:
		return "; the gateway refuses more, see the limits of its avika receiver"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return startGateway
	}
	if d.TLS == nil {
		return startGateway + "; if the gateway wants TLS, add --tls"
	}
	return startGateway + "; if it speaks plaintext, leave out --tls; for a private CA give --tls-ca"
}

// statusOf is the gRPC code of err or of what it wraps.
func statusOf(err error) codes.Code {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return s.GRPCStatus().Code()
	}
	return codes.Unknown
}
