// Package scenario runs one load through fresh servers and measures it.
package scenario

import (
	"fmt"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
)

// Paths that rows take.
const (
	Direct = "direct" // agents → gateway → ClickHouse
	Queued = "queued" // agents → gateway → Kafka → gateway → ClickHouse
	OTLP   = "otlp"   // OTLP clients that wait for acknowledgements → gateway → ClickHouse
)

// Scenario is a load and what it runs on.
type Scenario struct {
	Name     string
	Path     string
	Agents   int     // or OTLP clients
	Rate     float64 // rows a second of each agent; OTLP: of all clients; 0: none, Unlimited: as fast as they go
	Total    int64   // rows of all, then it ends
	Duration time.Duration
	Records  string // OTLP: "access" for NGINX's records, "otel" for others
	Rows     int    // OTLP: rows per request

	Subject  string
	Profile  string
	Queue    string
	Spans    bool
	Samples  bool // agents send metrics each second, besides rows
	Replicas int
	Env      []string // settings of the gateway, NAME=value
	Set      []string // keys of its configuration, as --set takes them
	Binary   string   // of the gateway; empty: the built one

	Pprof time.Duration // CPU profile of the first gateway for this long, from a third of the duration on

	// BeforeCount is called when everything is stored and before it is counted; tests damage rows in it.
	BeforeCount func(*stack.Stack) error
}

// Unlimited as Rate sends as fast as rows are taken.
const Unlimited = -1

// New is a scenario with the defaults.
func New() Scenario {
	return Scenario{
		Path: Direct, Agents: 100, Rate: 1000, Duration: 30 * time.Second, Records: "access", Rows: 1000,
		Subject: stack.Gateway, Profile: stack.Default, Queue: stack.Disk, Spans: true, Samples: true, Replicas: 1,
	}
}

// Validate names every setting that cannot work.
func (s *Scenario) Validate() error {
	switch {
	case s.Path != Direct && s.Path != OTLP && s.Path != Queued:
		return fmt.Errorf("path %q: want %s, %s or %s", s.Path, Direct, Queued, OTLP)
	case s.Path == Queued && s.Subject != stack.Gateway:
		return fmt.Errorf("subject %q does not take the path %s", s.Subject, Queued)
	case s.Path == Direct && (s.Subject == stack.Ours || s.Subject == stack.Contrib):
		return fmt.Errorf("subject %q only takes the path %s", s.Subject, OTLP)
	case s.Records != "access" && s.Records != "otel":
		return fmt.Errorf("records %q: want access or otel", s.Records)
	case s.Agents < s.Replicas:
		return fmt.Errorf("%d agents for %d replicas: want at least one each", s.Agents, s.Replicas)
	case s.Duration <= 0 && s.Total <= 0:
		return fmt.Errorf("neither duration nor total is given")
	}
	return nil
}

// isCounted is false for floors: one stores nothing, the other the same rows over and over.
func (s *Scenario) isCounted() bool { return s.Subject != stack.Receive && s.Subject != stack.Inserts }

// eventName is that of the OTLP records.
func (s *Scenario) eventName() string {
	if s.Records == "access" {
		return "nginx.access"
	}
	return ""
}

// table is where the rows go.
func (s *Scenario) table(database string) count.Table {
	if s.Path == OTLP && (s.Records != "access" || s.Subject == stack.Contrib) {
		return count.OTelLogs(database)
	}
	return count.AccessLogs(database)
}

// expected is how many rows come, as far as that is known before.
func (s *Scenario) expected() int64 {
	switch {
	case s.Total > 0:
		return s.Total
	case s.Rate <= 0:
		return 0
	case s.Path == OTLP:
		return int64(s.Rate * s.Duration.Seconds())
	}
	return int64(s.Rate * float64(s.Agents) * s.Duration.Seconds())
}
