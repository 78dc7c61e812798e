package kafkalag

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/avika-ai/avika-collector/internal/kafkaclient"
)

// Config of the extension. Brokers, tls and sasl are as in the Kafka receiver beside it.
type Config struct {
	// Brokers are host:port, a list or comma separated.
	Brokers []string `mapstructure:"brokers"`
	// TLS of the connections; plain text when it is not set.
	TLS *configtls.ClientConfig `mapstructure:"tls"`
	// SASL authenticates; it is off when it is not set.
	SASL *kafkaclient.SASL `mapstructure:"sasl"`
	// Group is the consumer group.
	Group string `mapstructure:"group_id"`
	// Interval between two questions to the brokers.
	Interval time.Duration `mapstructure:"interval"`
	// DeleteRead lets the brokers delete what the group has committed, at each interval, instead of keeping it for the topics'
	// retention. Only for topics that nobody but the group reads.
	DeleteRead bool `mapstructure:"delete_read"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{Brokers: []string{"localhost:9092"}, Group: "avika-writer", Interval: 10 * time.Second}
}

// Validate checks what the keys say.
func (c *Config) Validate() error {
	var errs error
	if len(c.Brokers) == 0 {
		errs = errors.Join(errs, errors.New(`"brokers" must not be empty`))
	}
	if c.Group == "" {
		errs = errors.Join(errs, errors.New(`"group_id" must not be empty`))
	}
	if c.Interval < time.Second {
		errs = errors.Join(errs, fmt.Errorf(`"interval" must be at least 1s, is %v`, c.Interval))
	}
	return errs
}
