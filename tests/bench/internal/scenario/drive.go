package scenario

import (
	"fmt"
	"strconv"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
)

// drive starts a generator for each collector. Their rows have different runs, so that ids are unique.
func (s *Scenario) drive(root string, collectors []*stack.Collector) ([]*load.Generator, error) {
	if s.Path == OTLP {
		g, err := s.driveOTLP(collectors)
		return []*load.Generator{g}, err
	}
	var all []*load.Generator
	for i, c := range collectors[:s.Replicas] { // behind them is who only writes
		g, err := load.StartAgents(root, numbered("agentsim", i, s.Replicas), s.agentArgs(i, c)...)
		if err != nil {
			return all, err
		}
		all = append(all, g)
	}
	return all, nil
}

// agentArgs divide agents and rows between the replicas.
func (s *Scenario) agentArgs(i int, c *stack.Collector) []string {
	rate := "max"
	if s.Rate >= 0 {
		rate = strconv.FormatFloat(s.Rate, 'f', -1, 64)
	}
	args := []string{
		"--gateway", c.AgentAddr, "--agents", strconv.Itoa(share(s.Agents, i, s.Replicas)), "--rate", rate,
		"--run-id", fmt.Sprintf("%x", baseRun+i), "--drain", "10m",
		"--connect-rate", strconv.Itoa(max(500, s.Agents/5)), // all of them within five seconds
	}
	if !s.Samples {
		args = append(args, "--metrics-interval", "0")
	}
	if s.Replicas > 1 {
		args = append(args, "--agent-id", fmt.Sprintf("web%d", i+1), "--hostname", fmt.Sprintf("web%d", i+1))
	}
	if s.Total > 0 {
		args = append(args, "--total", strconv.Itoa(share(int(s.Total), i, s.Replicas)))
	}
	if s.Duration > 0 {
		args = append(args, "--duration", s.Duration.String())
	}
	return args
}

// baseRun is the first run of a scenario; servers are fresh, so it may be the same each time.
const baseRun = 0xbe0c0

func share(all, i, of int) int {
	n := all / of
	if i < all%of {
		n++
	}
	return n
}

func numbered(name string, i, of int) string {
	if of == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, i+1)
}

func (s *Scenario) driveOTLP(collectors []*stack.Collector) (*load.Generator, error) {
	cfg := otlpload.Config{
		Rate: max(s.Rate, 0), Total: s.Total, Duration: s.Duration, Clients: s.Agents, Rows: s.Rows, Run: baseRun,
		Event: s.eventName(), Timeout: 60 * time.Second, GiveUp: time.Minute,
	}
	for _, c := range collectors {
		cfg.Addrs = append(cfg.Addrs, c.OTLPAddr)
	}
	return load.StartOTLP(cfg)
}
