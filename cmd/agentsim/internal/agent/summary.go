package agent

import (
	"fmt"
	"io"
	"time"
)

// kind of a message, as far as counting goes.
type kind uint8

const (
	kindBootstrap kind = iota
	kindHeartbeat
	kindMetrics
	kindState
	kindAccess
	kindError
	kindAnswer
	kinds
)

// Summary is what an agent sent; handed over to the transport counts as sent.
type Summary struct {
	AgentID       string  `json:"agent_id"`
	AccessEntries int64   `json:"access_entries"`
	ErrorEntries  int64   `json:"error_entries"`
	LogAnswers    int64   `json:"log_answers"`
	Bootstraps    int64   `json:"bootstrap_heartbeats"`
	Heartbeats    int64   `json:"heartbeats"`
	Metrics       int64   `json:"metrics"`
	States        int64   `json:"states"`
	Unsent        int64   `json:"unsent"`
	Dropped       int64   `json:"dropped"` // heartbeats and the like that met a full buffer
	Connects      int64   `json:"connects"`
	Failed        int64   `json:"failed_connects"`
	Broken        int64   `json:"broken_streams"`
	Commands      int64   `json:"commands"`
	Seconds       float64 `json:"seconds"`
}

func (a *agent) summary() Summary {
	n := func(k kind) int64 { return a.sent.sent[k].Load() }
	return Summary{
		AgentID: a.cfg.AgentID, AccessEntries: n(kindAccess), ErrorEntries: n(kindError), LogAnswers: n(kindAnswer),
		Bootstraps: n(kindBootstrap), Heartbeats: n(kindHeartbeat), Metrics: n(kindMetrics), States: n(kindState),
		Unsent: int64(a.buffer.len()), Dropped: a.buffer.droppedMessages(), Connects: a.sent.connects.Load(),
		Failed: a.sent.failed.Load(), Broken: a.sent.broken.Load(), Commands: a.sent.commands.Load(),
		Seconds: time.Since(a.started).Seconds(),
	}
}

// WriteText prints the summary for people.
func (s *Summary) WriteText(w io.Writer) {
	fmt.Fprintf(w, "%s sent %d access and %d error log entries in %.1f s\n", s.AgentID, s.AccessEntries, s.ErrorEntries, s.Seconds)
	fmt.Fprintf(w, "     %d heartbeats (and %d bootstrap), %d metrics, %d states, %d log answers\n",
		s.Heartbeats, s.Bootstraps, s.Metrics, s.States, s.LogAnswers)
	fmt.Fprintf(w, "connected %d times, %d attempts failed, %d streams broke, %d commands received\n",
		s.Connects, s.Failed, s.Broken, s.Commands)
	if s.Unsent > 0 || s.Dropped > 0 {
		fmt.Fprintf(w, "NOT SENT: %d messages buffered, %d dropped\n", s.Unsent, s.Dropped)
	}
}
