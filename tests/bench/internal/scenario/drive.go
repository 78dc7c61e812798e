package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
)

// generator is a running process that sends rows and prints a summary as JSON when it ends.
type generator struct {
	name   string
	cmd    *exec.Cmd
	out    bytes.Buffer
	errors bytes.Buffer
	done   chan struct{}
	err    error
}

// summary is what generators say in the end. agentsim calls rows log entries.
type summary struct {
	otlpload.Report
	LogEntries uint64  `json:"log_entries"`
	Unsent     uint64  `json:"unsent_log_entries"`
	Metrics    uint64  `json:"metrics"`
	Broken     uint64  `json:"broken_streams"`
	Failed     uint64  `json:"failed_connects"`
	Confirmed  uint64  `json:"confirmed_streams"`
	Stalled    float64 `json:"stall_seconds"`
}

func (s *summary) sent() uint64 { return s.LogEntries + s.Report.Rows }

func startGenerator(name string, args ...string) (*generator, error) {
	g := &generator{name: name, cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.errors
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { g.err = g.cmd.Wait(); close(g.done) }()
	return g, nil
}

// wait returns what it sent. A generator that could not send everything says so by its exit code; the summary counts.
func (g *generator) wait(ctx context.Context) (summary, error) {
	select {
	case <-g.done:
	case <-ctx.Done():
		_ = g.cmd.Process.Signal(syscall.SIGTERM)
		<-g.done
	}
	var s summary
	if err := json.Unmarshal(g.out.Bytes(), &s); err != nil {
		lines := strings.Split(strings.TrimSpace(g.errors.String()), "\n")
		return s, errors.Join(fmt.Errorf("%s: %w\n%s", g.name, err, strings.Join(lines[max(0, len(lines)-10):], "\n")), g.err)
	}
	return s, nil
}

// cpu is the CPU time of a generator that has ended.
func (g *generator) cpu() time.Duration {
	return g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime()
}

// peak is the most memory it had, in bytes.
func (g *generator) peak() int64 {
	usage, ok := g.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}

// drive starts a generator for each collector. Their rows have different runs, so that ids are unique.
func (s *Scenario) drive(root string, collectors []*stack.Collector) ([]*generator, error) {
	if s.Path == OTLP {
		g, err := s.driveOTLP(collectors)
		return []*generator{g}, err
	}
	agentsim := filepath.Join(root, "bin", "agentsim")
	if _, err := os.Stat(agentsim); err != nil {
		return nil, fmt.Errorf("agentsim is not built, run `make build`: %w", err)
	}
	var all []*generator
	for i, c := range collectors {
		g, err := startGenerator(numbered("agentsim", i, len(collectors)), append([]string{agentsim}, s.agentArgs(i, c)...)...)
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
		"--json", "--gateway", c.AgentAddr, "--agents", strconv.Itoa(share(s.Agents, i, s.Replicas)), "--rate", rate,
		"--run-id", fmt.Sprintf("%x", baseRun+i), "--drain", "60s",
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

// driveOTLP starts this program again, so that the load's CPU time is its own.
func (s *Scenario) driveOTLP(collectors []*stack.Collector) (*generator, error) {
	cfg := otlpload.Config{
		Rate: max(s.Rate, 0), Total: s.Total, Duration: s.Duration, Clients: s.Agents, Rows: s.Rows, Run: baseRun,
		Event: s.eventName(), Timeout: 60 * time.Second, GiveUp: time.Minute,
	}
	for _, c := range collectors {
		cfg.Addrs = append(cfg.Addrs, c.OTLPAddr)
	}
	return startOTLP(cfg)
}

func startOTLP(cfg otlpload.Config) (*generator, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	b, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	return startGenerator("otlpload", self, OTLPCommand, string(b))
}

// OTLPCommand is the command of this program that sends a load; the configuration is its argument, as JSON.
const OTLPCommand = "otlp-load"

// RunOTLPCommand is that command.
func RunOTLPCommand(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want the configuration as JSON")
	}
	var cfg otlpload.Config
	if err := json.Unmarshal([]byte(args[0]), &cfg); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	report, err := otlpload.Run(ctx, cfg)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}
