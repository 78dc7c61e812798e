// Package fleet simulates many stock agents, each with a connection, a schedule and commands of its own.
package fleet

import (
	"errors"
	"fmt"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
)

// Unlimited as Config.Rate sends as fast as flow control lets.
const Unlimited = -1

// MaxAgents bounds a fleet; every agent is a TCP connection.
const MaxAgents = 20000

// Config describes a fleet. The zero value of an interval switches that kind of message off.
type Config struct {
	Agents   int
	Rate     float64       // log entries per second and agent, or Unlimited
	Duration time.Duration // of each agent's traffic; 0: until Total is sent or the context ends
	Total    int64         // log entries of the whole fleet; 0: as many as fit into Duration
	Tick     time.Duration // how long entries are gathered before they are written
	Seed     uint64
	Run      uint32 // first part of every request id

	Heartbeat time.Duration
	Metrics   time.Duration
	State     time.Duration

	ConnectRate   float64       // new connections per second while the fleet starts; 0: all at once
	ReconnectWait time.Duration // after a broken stream
	Drain         time.Duration // how long late entries, and the gateway with what is on its way, may take after the end

	Format      nginxlog.Format
	Labels      map[string]string
	AgentID     string // of the only agent, or what all ids start with; host name and address when empty
	Hostname    string // of the only agent, or what all host names start with
	HonorUpdate bool   // an update command changes the version in later heartbeats

	Dialer  link.Dialer
	Problem func(error) string // how an error is shown beside the progress; its text when nil
}

// Validate names every setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Agents >= 1 && c.Agents <= MaxAgents, "agents %d: want 1 to %d", c.Agents, MaxAgents)
	check(c.Rate >= 0 || c.Rate == Unlimited, "rate %v: want 0 or more, or max", c.Rate)
	check(c.Total >= 0, "total %d: want 0 or more", c.Total)
	check(c.Total == 0 || c.Rate != 0, "total %d needs a rate above 0, or max", c.Total)
	check(c.Heartbeat >= 0 && c.Metrics >= 0 && c.State >= 0, "intervals must not be negative")
	check(c.Duration >= 0 && c.Drain >= 0 && c.ReconnectWait >= 0, "durations must not be negative")
	check(c.Tick > 0, "tick %v: want more than 0", c.Tick)
	check(c.ConnectRate >= 0, "connect rate %v: want 0 or more", c.ConnectRate)
	return errors.Join(errs...)
}

// entries is how many log entries agent i sends at most; unbounded is below 0.
func (c *Config) entries(i int) int64 {
	if c.Total > 0 {
		share := c.Total / int64(c.Agents)
		if int64(i) < c.Total%int64(c.Agents) {
			share++
		}
		return share
	}
	if c.Rate == Unlimited || c.Duration == 0 {
		return -1
	}
	return int64(c.Rate * c.Duration.Seconds())
}
