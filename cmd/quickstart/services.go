package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// The parts, as messages and logs call them.
const (
	clickHouseName = "ClickHouse"
	gatewayName    = "gateway"
	shopName       = "shop"
	nginxName      = "NGINX"
	agentName      = "agentsim"
	trafficName    = "traffic"
)

// stopGrace is how long a part may take to end by itself; the gateway empties its queue meanwhile.
const stopGrace = 20 * time.Second

func (s *stack) binary(name string) string { return filepath.Join(s.opts.root, "bin", name) }

func (s *stack) logFile(name string) string { return filepath.Join(s.opts.data, "log", name+".log") }

func (s *stack) startClickHouse(ctx context.Context) error {
	s.clickHouse = s.opts.clickHouse
	if s.clickHouse != "" {
		s.screen.say("✓ using ClickHouse at %s", s.clickHouse)
		return nil
	}
	s.clickHouse = addr(s.opts.clickHousePort)
	return s.step(ctx, "starting ClickHouse", func(ctx context.Context) (part, error) {
		self, err := os.Executable()
		if err != nil {
			return part{}, fmt.Errorf("find this program: %w", err)
		}
		c, err := localstack.StartClickHouse(ctx, localstack.ClickHouseOptions{
			Dir: filepath.Join(s.opts.data, "clickhouse"), TCPPort: s.opts.clickHousePort, HTTPPort: s.opts.clickHouseHTTPPort,
			LogFile: s.logFile("clickhouse"), Launcher: []string{self, engineCommand},
		})
		if err != nil {
			return part{}, err
		}
		return part{clickHouseName, c.Stop, c.Done(), c.LogFile()}, nil
	})
}

func (s *stack) startGateway(ctx context.Context) error {
	return s.step(ctx, "starting the gateway", func(ctx context.Context) (part, error) {
		p, err := s.process(gatewayName, s.opts.gatewayEnv(s.clickHouse), s.binary("otelcol-avika"), "--config", "embedded:quickstart")
		if err != nil {
			return p, err
		}
		if err := waitReady(ctx, p, "http://"+addr(s.opts.httpPort)+"/ready"); err != nil {
			_ = p.stop()
			return p, err
		}
		return p, nil
	})
}

// startAgent runs an agent on NGINX's log that remembers, from run to run, how far it was sent.
func (s *stack) startAgent(ctx context.Context) error {
	return s.step(ctx, "starting an agent", func(context.Context) (part, error) {
		return s.process(agentName, nil, s.binary("agentsim"),
			"--gateway", addr(s.opts.agentPort), "--labels", "project=quickstart,environment=local",
			"--tail", s.accessLog(), "--error-log", s.errorLog(), "--from-start", "--state-dir", filepath.Join(s.opts.data, "agent"),
			"--stub-status", "http://"+addr(s.opts.nginxPort)+statusPath, "--nginx-conf", s.nginxConfDir())
	})
}

// startFleet stands in where there is no NGINX.
func (s *stack) startFleet(ctx context.Context) error {
	return s.step(ctx, "starting a simulated fleet", func(context.Context) (part, error) {
		return s.process(agentName, nil, s.binary("agentsim"),
			"--gateway", addr(s.opts.agentPort), "--agents", strconv.Itoa(fleetAgents), "--rate", fleetRate(s.opts.rate))
	})
}

// fleetAgents share the request rate.
const fleetAgents = 10

func fleetRate(rate float64) string { return strconv.FormatFloat(rate/fleetAgents, 'f', -1, 64) }

// process starts a program of this project with a log of its own. When this one is killed it is killed too: without
// ClickHouse, which is gone then, the gateway could only wait in vain to empty its queue.
func (s *stack) process(name string, env []string, args ...string) (part, error) {
	log := s.logFile(name)
	p, err := localstack.StartProcess(localstack.Spec{
		Name: name, Args: args, Env: env, Dir: s.opts.data, LogFile: log, DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return part{}, err
	}
	return part{name, func() error { return p.Stop(stopGrace) }, p.Done(), log}, nil
}

// waitReady asks until the answer is 200, the part ends or ctx does.
func waitReady(ctx context.Context, p part, url string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if answers(ctx, url) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended; the end of its log %s:\n%s", p.logFile, localstack.Tail(p.logFile, 20))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; the end of its log %s:\n%s", url, ctx.Err(), p.logFile, localstack.Tail(p.logFile, 20))
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
