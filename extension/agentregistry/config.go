package agentregistry

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/httpapi"
)

// Config configures the registry.
type Config struct {
	// HTTP is the server of the REST interface, the fleet page, /health and /ready. Default: localhost:5021.
	HTTP confighttp.ServerConfig `mapstructure:"http"`

	// GatewayID names this gateway to people. Default: the host name.
	GatewayID string `mapstructure:"gateway_id"`

	// Advertise is the base URL at which other gateways reach this one's HTTP server, for log tails. Default: derived from the
	// address that http listens on.
	Advertise string `mapstructure:"advertise"`

	// Storage is a storage extension that keeps the embedded backend across restarts. Default: none, all in memory.
	Storage *component.ID `mapstructure:"storage"`

	// PostgreSQL is the shared backend of several gateways.
	PostgreSQL PostgreSQLConfig `mapstructure:"postgresql"`

	// Enrolment says what happens to agents that nobody knows: "auto" lets them send, "approval" keeps them waiting.
	Enrolment string `mapstructure:"enrolment"`

	// MaxAgents is how many agents may be known. New ones are refused beyond it; 0: no bound. Default: 100000.
	MaxAgents int `mapstructure:"max_agents"`

	// Control says who may change things and tail logs over HTTP: "auth" everybody when http.auth is configured and nobody
	// otherwise, "open" everybody, "off" nobody.
	Control string `mapstructure:"control"`

	Lease    LeaseConfig    `mapstructure:"lease"`
	Commands CommandsConfig `mapstructure:"commands"`

	// FlushInterval is how often last seen and rates of connected agents are shared. Default: 15s.
	FlushInterval time.Duration `mapstructure:"flush_interval"`

	Retention RetentionConfig `mapstructure:"retention"`

	// Peers is how other gateways are reached.
	Peers PeersConfig `mapstructure:"peers"`

	// clock is the gateway's own clock; tests set it wrong.
	clock func() time.Time
}

// PostgreSQLConfig says where PostgreSQL is.
type PostgreSQLConfig struct {
	// DSN is a URL or keyword=value connection string. Default: empty, which means the embedded backend.
	DSN configopaque.String `mapstructure:"dsn"`
	// Listen uses LISTEN/NOTIFY on a connection of its own. Turn it off behind a PgBouncer in transaction mode: changes and
	// commands are then found by polling. Default: true.
	Listen bool `mapstructure:"listen"`
	// PollInterval is how often changes are asked for without listen. With it they are asked for with each renewal of the
	// lease, in case a notification was lost. Default: 1s.
	PollInterval time.Duration `mapstructure:"poll_interval"`
	// MaxConns bounds the connections of the pool; listen takes one more. Default: 4.
	MaxConns int32 `mapstructure:"max_conns"`
	// ConnectTimeout bounds one attempt to connect, QueryTimeout one operation. Default: 5s each.
	ConnectTimeout time.Duration `mapstructure:"connect_timeout"`
	QueryTimeout   time.Duration `mapstructure:"query_timeout"`
}

// LeaseConfig is how a gateway shows that it lives.
type LeaseConfig struct {
	// Duration is how long agents of a killed gateway stay online. Default: 10s.
	Duration time.Duration `mapstructure:"duration"`
	// RenewInterval is how often the lease is renewed. At most a third of the duration. Default: 3s.
	RenewInterval time.Duration `mapstructure:"renew_interval"`
}

// CommandsConfig is how long commands wait.
type CommandsConfig struct {
	// Expiry is how long a command waits for its agent to connect. Default: 5m.
	Expiry time.Duration `mapstructure:"expiry"`
	// ConfirmTimeout is how long a sent command waits for a result before it is unconfirmed. Default: 30s.
	ConfirmTimeout time.Duration `mapstructure:"confirm_timeout"`
	// UpdateTimeout is how long an agent may take to come back with another version. Default: 10m.
	UpdateTimeout time.Duration `mapstructure:"update_timeout"`
}

// RetentionConfig is how long things are kept.
type RetentionConfig struct {
	// Agents that are offline this long are removed; 0 keeps them for ever. Default: 720h.
	Agents time.Duration `mapstructure:"agents"`
	// History and finished commands older than this are removed; 0 keeps them for ever. Default: 720h.
	History time.Duration `mapstructure:"history"`
	// HistoryPerAgent bounds the events of one agent; 0 does not. Default: 1000, with the embedded backend at most 500.
	HistoryPerAgent int `mapstructure:"history_per_agent"`
}

// PeersConfig is how this gateway's HTTP client reaches the others.
type PeersConfig struct {
	// TLS is used for https addresses.
	TLS configtls.ClientConfig `mapstructure:"tls"`
}

// Values of Config.Enrolment.
const (
	enrolmentAuto     = "auto"
	enrolmentApproval = "approval"
)

// Validate checks the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Enrolment != enrolmentAuto && c.Enrolment != enrolmentApproval {
		errs = append(errs, fmt.Errorf("enrolment %q is not one of auto, approval", c.Enrolment))
	}
	if c.Control != httpapi.ControlAuth && c.Control != httpapi.ControlOpen && c.Control != httpapi.ControlOff {
		errs = append(errs, fmt.Errorf("control %q is not one of auth, open, off", c.Control))
	}
	if c.PostgreSQL.DSN != "" && c.Storage != nil {
		errs = append(errs, errors.New("storage keeps the embedded backend and has no meaning beside postgresql.dsn: remove one"))
	}
	if c.MaxAgents < 0 {
		errs = append(errs, fmt.Errorf("max_agents %d must not be negative", c.MaxAgents))
	}
	if c.FlushInterval < time.Second {
		errs = append(errs, fmt.Errorf("flush_interval %s is less than 1s", c.FlushInterval))
	}
	if c.Advertise != "" {
		if u, err := url.Parse(c.Advertise); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("advertise %q is not a URL such as http://10.0.0.1:5021", c.Advertise))
		}
	}
	return errors.Join(errs...)
}

// Validate checks the numbers. The DSN is read at the start, as that may open files.
func (c *PostgreSQLConfig) Validate() error {
	var errs []error
	if c.MaxConns < 1 {
		errs = append(errs, fmt.Errorf("max_conns %d is less than 1", c.MaxConns))
	}
	if c.PollInterval < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("poll_interval %s is less than 100ms", c.PollInterval))
	}
	if c.ConnectTimeout <= 0 || c.QueryTimeout <= 0 {
		errs = append(errs, fmt.Errorf("connect_timeout %s and query_timeout %s must be positive", c.ConnectTimeout, c.QueryTimeout))
	}
	return errors.Join(errs...)
}

// Validate checks the lease.
func (c *LeaseConfig) Validate() error {
	if c.RenewInterval <= 0 || c.RenewInterval*3 > c.Duration {
		return fmt.Errorf("renew_interval %s is not between 0 and a third of duration %s", c.RenewInterval, c.Duration)
	}
	return nil
}

// Validate checks the times.
func (c *CommandsConfig) Validate() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value time.Duration
	}{{"expiry", c.Expiry}, {"confirm_timeout", c.ConfirmTimeout}, {"update_timeout", c.UpdateTimeout}} {
		if field.value < time.Second {
			errs = append(errs, fmt.Errorf("%s %s is less than 1s", field.name, field.value))
		}
	}
	return errors.Join(errs...)
}

// Validate checks the retention.
func (c *RetentionConfig) Validate() error {
	if c.Agents < 0 || c.History < 0 || c.HistoryPerAgent < 0 {
		return fmt.Errorf("agents %s, history %s and history_per_agent %d must not be negative", c.Agents, c.History, c.HistoryPerAgent)
	}
	return nil
}
