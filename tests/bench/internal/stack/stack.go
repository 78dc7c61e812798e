package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
)

// Process is something whose CPU time and memory are measured.
type Process struct {
	Name string
	PID  func() int
}

// Collector is a gateway, or a peer in its place.
type Collector struct {
	Process
	AgentAddr, OTLPAddr string // empty: nobody sends to it
	MetricsURL          string // empty: it tells nothing about itself
	PprofAddr           string // empty: it has no profiles
	LogFile             string
	// Gateway is nil for a peer.
	Gateway *localstack.Gateway
}

// Stack is the running servers.
type Stack struct {
	ClickHouse *ClickHouse
	Postgres   *localstack.Postgres // nil: the subject needs none
	Kafka      *localstack.Kafka    // nil: rows do not go through a queue
	Collectors []*Collector
	Database   string

	stops []func() error
}

// Start starts the servers, then the collectors, and waits until each of them is ready.
func Start(ctx context.Context, opts Options) (*Stack, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	s := &Stack{Database: "nginx_analytics"}
	if err := s.start(ctx, &opts); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context, opts *Options) error {
	if err := s.startClickHouse(ctx, opts); err != nil {
		return err
	}
	switch opts.Subject {
	case Contrib, Ours:
		return s.startPeer(ctx, opts)
	case Receive:
		return s.startReceiver(ctx)
	}
	if err := s.startPostgres(ctx); err != nil {
		return err
	}
	if opts.Queued {
		return s.startQueued(ctx, opts)
	}
	return s.startReplicas(ctx, opts, "gateway", "gateway.yaml", nil)
}

// startReplicas starts as many gateways with a shipped configuration as the options ask for.
func (s *Stack) startReplicas(ctx context.Context, opts *Options, name, config string, env []string) error {
	for i := range opts.Replicas {
		if err := s.startGateway(ctx, opts, fmt.Sprintf("%s-%d", name, i+1), config, env); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends everything, the collectors first.
func (s *Stack) Stop() (err error) {
	for i := len(s.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, s.stops[i]())
	}
	s.stops = nil
	return err
}

// Processes are all that is measured beside the load.
func (s *Stack) Processes() []Process {
	var all []Process
	for _, c := range s.Collectors {
		all = append(all, c.Process)
	}
	all = append(all, Process{Name: "ClickHouse", PID: s.ClickHouse.PID})
	if s.Postgres != nil {
		all = append(all, Process{Name: "PostgreSQL", PID: s.Postgres.PID})
	}
	if s.Kafka != nil {
		all = append(all, Process{Name: "Kafka", PID: s.Kafka.PID})
	}
	return all
}

// StopCollectors ends the collectors alone.
func (s *Stack) StopCollectors() error {
	var errs []error
	for _, c := range s.Collectors {
		if c.Gateway != nil {
			errs = append(errs, c.Gateway.Stop())
		}
	}
	s.Collectors = nil
	return errors.Join(errs...)
}

// Watch makes ClickHouse remember what the ages of a table's rows are found from.
func (s *Stack) Watch(ctx context.Context, t count.Table) error {
	return count.KeepBlockNumbers(ctx, s.ClickHouse.Conn, t)
}

func (s *Stack) startClickHouse(ctx context.Context, opts *Options) (err error) {
	if s.ClickHouse, err = StartClickHouse(ctx, opts.Root, opts.Dir); err != nil {
		return err
	}
	s.stops = append(s.stops, s.ClickHouse.Stop)
	return nil
}

// startPostgres leaves the folder to localstack: the server's own user must be able to reach it.
func (s *Stack) startPostgres(ctx context.Context) (err error) {
	if s.Postgres, err = localstack.StartPostgres(ctx, localstack.PostgresOptions{}); err != nil {
		return err
	}
	s.stops = append(s.stops, s.Postgres.Stop)
	return nil
}

func (s *Stack) startGateway(ctx context.Context, opts *Options, id, config string, env []string) error {
	binary, err := built(opts.Root, "bin/otelcol-avika", "make build")
	if err != nil {
		return err
	}
	if opts.Binary != "" {
		binary = opts.Binary
	}
	g, err := localstack.StartGateway(ctx, localstack.GatewayOptions{
		Binary: binary, Args: append([]string{"--config", filepath.Join(opts.Root, "distributions", "avika-gateway", "config", config)}, opts.gatewayArgs(config)...),
		Dir: filepath.Join(opts.Dir, id), ID: id, ClickHouse: s.ClickHouse.Addr(), Postgres: s.Postgres.DSN(),
		Env: append(opts.GatewayEnv(), env...), Writer: config == writerConfig,
	})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, g.Stop)
	c := &Collector{
		Process: Process{Name: id, PID: g.PID}, AgentAddr: g.AgentAddr(), OTLPAddr: g.OTLPGRPCAddr(), MetricsURL: g.MetricsURL(),
		PprofAddr: g.PprofAddr(), LogFile: g.LogFile(), Gateway: g,
	}
	if config == writerConfig {
		c.AgentAddr, c.OTLPAddr = "", "" // nobody sends to it
	}
	s.Collectors = append(s.Collectors, c)
	return nil
}

// built is the path of a program, which must be there.
func built(root, path, how string) (string, error) {
	full := filepath.Join(root, filepath.FromSlash(path))
	if _, err := os.Stat(full); err != nil {
		return "", fmt.Errorf("%s is not built, run `%s`: %w", path, how, err)
	}
	return full, nil
}
