package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/bench/internal/floor"
)

// peers are the subjects that only take OTLP, with the configurations that tests/peer has for them.
var peers = map[string]struct{ binary, how, config, database string }{
	Contrib: {binary: "tests/peer/dist/otelcol-peer", how: "tests/peer/build.sh", config: "peer", database: "peer"},
	Ours:    {binary: "bin/otelcol-avika", how: "make build", config: "ours", database: "ours"},
}

func (s *Stack) startPeer(ctx context.Context, opts *Options) error {
	peer := peers[opts.Subject]
	binary, err := built(opts.Root, peer.binary, peer.how)
	if err != nil {
		return err
	}
	ports, err := localstack.FreePorts(1)
	if err != nil {
		return err
	}
	testdata := filepath.Join(opts.Root, "tests", "peer", "testdata")
	args := []string{binary, "--config", filepath.Join(testdata, peer.config+".yaml")}
	if opts.Queue == Disk {
		args = append(args, "--config", filepath.Join(testdata, peer.config+"-disk.yaml"))
	}
	p, err := localstack.StartProcess(localstack.Spec{
		Name: opts.Subject, Args: args, LogFile: filepath.Join(opts.Dir, opts.Subject+".log"), DeathSignal: syscall.SIGKILL,
		Env: append(opts.GatewayEnv(), "CLICKHOUSE="+s.ClickHouse.Addr(), "OTLP_PORT="+strconv.Itoa(ports[0]), "STATE_DIR="+filepath.Join(opts.Dir, "state")),
	})
	if err != nil {
		return err
	}
	s.Database = peer.database
	s.stops = append(s.stops, func() error { return p.Stop(30 * time.Second) })
	c := &Collector{Process: Process{Name: opts.Subject, PID: p.PID}, OTLPAddr: fmt.Sprintf("127.0.0.1:%d", ports[0]), LogFile: p.LogFile()}
	s.Collectors = []*Collector{c}
	return s.waitForPeer(ctx, p, c)
}

// startReceiver starts this program again as the floor of receiving.
func (s *Stack) startReceiver(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ports, err := localstack.FreePorts(1)
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	p, err := localstack.StartProcess(localstack.Spec{Name: Receive, Args: []string{self, floor.ReceiveCommand, addr}, DeathSignal: syscall.SIGKILL})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() error { return p.Stop(30 * time.Second) })
	s.Collectors = []*Collector{{Process: Process{Name: Receive, PID: p.PID}, AgentAddr: addr, OTLPAddr: addr}}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if localstack.PortInUse(addr) {
			return nil
		}
	}
	return fmt.Errorf("%s does not listen on %s", Receive, addr)
}

// waitForPeer waits until the peer listens and has made its table.
func (s *Stack) waitForPeer(ctx context.Context, p *localstack.Process, c *Collector) error {
	const patience = 30 * time.Second
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-p.Done():
			return fmt.Errorf("%s ended: %w\n%s", c.Name, p.Err(), localstack.Tail(c.LogFile, 20))
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		var tables uint64
		err := s.ClickHouse.Conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE name = 'otel_logs'").Scan(&tables)
		if err == nil && tables > 0 && localstack.PortInUse(c.OTLPAddr) {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready after %s\n%s", c.Name, patience, localstack.Tail(c.LogFile, 20))
}
