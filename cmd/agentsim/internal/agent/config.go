// Package agent is one agent on a real NGINX: it follows its logs, measures it and its machine, and behaves on the
// wire as a stock agent does.
package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/host"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
)

// Config of an agent. An interval of 0 switches that kind of message off.
type Config struct {
	AccessLog  string
	ErrorLog   string // optional
	StubStatus string // URL; optional
	NginxConf  string // folder; optional
	StateDir   string // optional; without it a restart begins at the ends of the logs
	Format     nginxlog.Format
	FromStart  bool // begin at the logs' starts when nothing is remembered

	AgentID  string // host name and address when empty
	Hostname string // that of the machine when empty
	Labels   map[string]string

	Heartbeat time.Duration
	Metrics   time.Duration
	State     time.Duration

	ReconnectWait time.Duration
	BufferBytes   int
	HonorUpdate   bool

	Dialer  link.Dialer
	Log     *slog.Logger
	Problem func(error) string // how an error of the connection is logged; its text when nil
}

func (c *Config) explain(err error) string {
	if c.Problem == nil {
		return err.Error()
	}
	return c.Problem(err)
}

// Validate names every setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.AccessLog == "" {
		errs = append(errs, errors.New("no access log to follow"))
	}
	if c.Heartbeat < 0 || c.Metrics < 0 || c.State < 0 || c.ReconnectWait < 0 {
		errs = append(errs, errors.New("intervals must not be negative"))
	}
	if c.BufferBytes <= 0 {
		errs = append(errs, fmt.Errorf("buffer of %d bytes: want more than 0", c.BufferBytes))
	}
	return errors.Join(errs...)
}

// identify fills what was left empty.
func (c *Config) identify() (address string, err error) {
	address = host.Address(c.Dialer.Target)
	if c.Hostname == "" {
		if c.Hostname, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("find host name (give --hostname): %w", err)
		}
	}
	if c.AgentID == "" {
		c.AgentID = c.Hostname + "-" + strings.NewReplacer(".", "-", ":", "-").Replace(address)
	}
	return address, nil
}
