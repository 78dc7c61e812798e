package fleet

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Report is what a fleet sent. Handed over to the transport counts as sent, as it does for a stock agent; Confirmed
// streams are those of which the gateway must have read everything.
type Report struct {
	RunID    string `json:"run_id"`
	IDScheme string `json:"id_scheme"`
	Agents   int    `json:"agents"`
	FirstID  string `json:"first_agent_id"`
	LastID   string `json:"last_agent_id"`
	Seed     uint64 `json:"seed"`

	LogEntries int64            `json:"log_entries"` // each with a request id of its own
	LogAnswers int64            `json:"log_answers"` // repeated for a log_request
	Bootstraps int64            `json:"bootstrap_heartbeats"`
	Heartbeats int64            `json:"heartbeats"` // full ones
	Metrics    int64            `json:"metrics"`
	States     int64            `json:"states"`
	Unsent     int64            `json:"unsent_log_entries"`
	Status     map[string]int64 `json:"log_entries_by_status"`
	BodyBytes  int64            `json:"body_bytes_sent"` // sum over the log entries
	Bytes      int64            `json:"bytes"`           // of all messages with their frames

	Connects  int64            `json:"connects"`
	Failed    int64            `json:"failed_connects"`
	Broken    int64            `json:"broken_streams"`
	Breaks    []Break          `json:"breaks,omitempty"`  // of broken streams, the first ones
	Confirmed int64            `json:"confirmed_streams"` // ended by the gateway with OK after the agent had finished
	Commands  map[string]int64 `json:"commands"`

	Seconds      float64 `json:"seconds"`
	EntriesPerS  float64 `json:"log_entries_per_second"`
	StallSeconds float64 `json:"stall_seconds"` // held back by flow control, summed over the agents
	CPUSeconds   float64 `json:"cpu_seconds"`
}

// Break is the end of a stream that the agent did not want. What the gateway had not made safe by then are the last
// entries before Entries.
type Break struct {
	Agent   int     `json:"agent"`   // as in the request ids
	Entries int64   `json:"entries"` // that the agent had handed over so far
	At      float64 `json:"at"`      // Unix time, s
}

// maxBreaks bounds the list.
const maxBreaks = 10_000

const idScheme = "32 hex digits: run_id (8), agent number from 0 (8), sequence number from 0 (16)"

// kind of a message, as far as counting goes.
type kind uint8

const (
	kindEntry kind = iota
	kindAnswer
	kindBootstrap
	kindHeartbeat
	kindMetrics
	kindState
	kinds
)

// totals is shared by all agents.
type totals struct {
	sent                                 [kinds]atomic.Int64
	status                               [6]atomic.Int64 // by first digit; 0 is everything else
	bodyBytes, bytes                     atomic.Int64
	online, connects, failed, broken, ok atomic.Int64
	unsent, stalled                      atomic.Int64

	mu       sync.Mutex
	commands map[string]int64
	lastErr  error
	breaks   []Break
}

func (t *totals) broke(agent int, entries int64) {
	t.broken.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.breaks) < maxBreaks {
		t.breaks = append(t.breaks, Break{Agent: agent, Entries: entries, At: float64(time.Now().UnixMicro()) / 1e6})
	}
}

func (t *totals) command(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands[name]++
}

// problem keeps the newest error for the progress line.
func (t *totals) problem(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastErr = err
}

func (t *totals) takeProblem() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.lastErr
	t.lastErr = nil
	return err
}

func (t *totals) report(c *Config, took time.Duration, cpu float64) Report {
	r := Report{
		RunID: fmt.Sprintf("%08x", c.Run), IDScheme: idScheme, Agents: c.Agents, Seed: c.Seed,
		LogEntries: t.sent[kindEntry].Load(), LogAnswers: t.sent[kindAnswer].Load(),
		Bootstraps: t.sent[kindBootstrap].Load(), Heartbeats: t.sent[kindHeartbeat].Load(),
		Metrics: t.sent[kindMetrics].Load(), States: t.sent[kindState].Load(), Unsent: t.unsent.Load(),
		BodyBytes: t.bodyBytes.Load(), Bytes: t.bytes.Load(), Connects: t.connects.Load(), Failed: t.failed.Load(),
		Broken: t.broken.Load(), Breaks: t.breaks, Confirmed: t.ok.Load(), Commands: t.commands, Seconds: took.Seconds(),
		StallSeconds: time.Duration(t.stalled.Load()).Seconds(), CPUSeconds: cpu, Status: map[string]int64{},
	}
	first, last := c.identity(0), c.identity(c.Agents-1)
	r.FirstID, r.LastID = first.id, last.id
	r.EntriesPerS = float64(r.LogEntries) / max(r.Seconds, 1e-9)
	for class := range t.status {
		if n := t.status[class].Load(); n > 0 {
			r.Status[className(class)] = n
		}
	}
	return r
}

func className(class int) string {
	if class == 0 {
		return "other"
	}
	return fmt.Sprintf("%dxx", class)
}

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) {
	fmt.Fprintf(w, "sent %d log entries in %.1f s (%.0f/s), %.1f MB, with request ids %s…\n",
		r.LogEntries, r.Seconds, r.EntriesPerS, float64(r.Bytes)/1e6, r.RunID)
	fmt.Fprintf(w, "     %d heartbeats (and %d bootstrap), %d metrics, %d states, %d log answers\n",
		r.Heartbeats, r.Bootstraps, r.Metrics, r.States, r.LogAnswers)
	fmt.Fprintf(w, "     from %d agents, %s to %s\n", r.Agents, r.FirstID, r.LastID)
	fmt.Fprintf(w, "by status %s, body bytes %d\n", counts(r.Status), r.BodyBytes)
	fmt.Fprintf(w, "connected %d times, %d attempts failed, %d streams broke, %d confirmed to the last message\n",
		r.Connects, r.Failed, r.Broken, r.Confirmed)
	if len(r.Commands) > 0 {
		fmt.Fprintf(w, "commands received %s\n", counts(r.Commands))
	}
	if r.Unsent > 0 {
		fmt.Fprintf(w, "NOT SENT: %d log entries that were due; the gateway took them too slowly or was away\n", r.Unsent)
	}
	fmt.Fprintf(w, "held back by flow control %.1f s (%.1f%% of the agents' time), own CPU %.2f s\n",
		r.StallSeconds, 100*r.StallSeconds/max(r.Seconds*float64(r.Agents), 1e-9), r.CPUSeconds)
}

func counts(m map[string]int64) string {
	var parts []string
	for _, k := range sortedKeys(m) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}
