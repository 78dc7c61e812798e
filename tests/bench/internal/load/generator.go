// Package load runs the programs that send rows: agentsim, and this program itself as an OTLP client.
package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
)

// Generator is a running process that sends rows and prints a summary as JSON when it ends.
type Generator struct {
	Name   string
	cmd    *exec.Cmd
	out    bytes.Buffer
	errors bytes.Buffer
	done   chan struct{}
	err    error
}

// Summary is what generators say in the end. agentsim calls rows log entries.
type Summary struct {
	otlpload.Report
	LogEntries uint64  `json:"log_entries"`
	Unsent     uint64  `json:"unsent_log_entries"`
	Metrics    uint64  `json:"metrics"`
	Broken     uint64  `json:"broken_streams"`
	Breaks     []Break `json:"breaks"`
	Failed     uint64  `json:"failed_connects"`
	Confirmed  uint64  `json:"confirmed_streams"`
	Stalled    float64 `json:"stall_seconds"`
}

// Break is the end of a stream that an agent did not want.
type Break struct {
	Agent   uint32  `json:"agent"`
	Entries uint64  `json:"entries"` // that the agent had handed over so far
	At      float64 `json:"at"`      // seconds since 1970
}

// Sent is the rows of either.
func (s *Summary) Sent() uint64 { return s.LogEntries + s.Report.Rows }

// Start starts a program that sends rows.
func Start(name string, args ...string) (*Generator, error) {
	g := &Generator{Name: name, cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.errors
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { g.err = g.cmd.Wait(); close(g.done) }()
	return g, nil
}

// Wait returns what it sent. A generator that could not send everything says so by its exit code; the summary counts.
func (g *Generator) Wait(ctx context.Context) (Summary, error) {
	select {
	case <-g.done:
	case <-ctx.Done():
		_ = g.cmd.Process.Signal(syscall.SIGTERM)
		<-g.done
	}
	var s Summary
	if err := json.Unmarshal(g.out.Bytes(), &s); err != nil {
		lines := strings.Split(strings.TrimSpace(g.errors.String()), "\n")
		return s, errors.Join(fmt.Errorf("%s: %w\n%s", g.Name, err, strings.Join(lines[max(0, len(lines)-10):], "\n")), g.err)
	}
	return s, nil
}

// CPU is the CPU time of a generator that has ended.
func (g *Generator) CPU() time.Duration {
	return g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime()
}

// Peak is the most memory it had, in bytes.
func (g *Generator) Peak() int64 {
	usage, ok := g.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}

// Add sums up the summaries of several generators.
func (s *Summary) Add(o *Summary) {
	s.LogEntries += o.LogEntries
	s.Report.Rows += o.Report.Rows
	s.Unsent += o.Unsent
	s.Metrics += o.Metrics
	s.Broken += o.Broken
	s.Failed += o.Failed
	s.Confirmed += o.Confirmed
	s.Stalled += o.Stalled
	s.Resent = append(s.Resent, o.Resent...)
	s.Open = append(s.Open, o.Open...)
}
