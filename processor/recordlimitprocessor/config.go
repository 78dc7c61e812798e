package recordlimitprocessor

import (
	"fmt"

	"go.opentelemetry.io/collector/component"
)

// Config of the processor.
type Config struct {
	// MaxBytes is how large a log record, a span or a metric's data point may be, with its resource and scope, in OTLP protobuf.
	MaxBytes int `mapstructure:"max_bytes"`
	// DeadLetter keeps what is larger.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`
	// RetryRefused makes senders try again what the exporter refuses for good: that is the fault of the brokers' settings, not of the data.
	RetryRefused bool `mapstructure:"retry_refused"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DeadLetterConfig says where telemetry goes that is too large.
type DeadLetterConfig struct {
	// Directory of the files. When it is not set senders get an error that no retry helps against.
	Directory string `mapstructure:"directory"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// defaultMaxBytes is less than what Kafka's brokers take by default, 1 MiB.
const defaultMaxBytes = 1_000_000

func createDefaultConfig() component.Config { return &Config{MaxBytes: defaultMaxBytes} }

// Validate checks the limit.
func (c *Config) Validate() error {
	if c.MaxBytes < 1 {
		return fmt.Errorf(`"max_bytes" must be positive, is %d`, c.MaxBytes)
	}
	return nil
}
