// Package kafkaclient connects to brokers with the blocks `tls` and `sasl` that the Kafka components of the collector take.
package kafkaclient

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"
)

// SASL authenticates with the brokers.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	Mechanism string `mapstructure:"mechanism"`
	// Username and Password of the user.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Validate checks the mechanism.
func (s *SASL) Validate() error {
	_, err := s.option()
	return err
}

func (s *SASL) option() (kgo.Opt, error) {
	user, password := s.Username, string(s.Password)
	switch s.Mechanism {
	case "PLAIN":
		return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()), nil
	case "SCRAM-SHA-256":
		return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()), nil
	case "SCRAM-SHA-512":
		return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()), nil
	}
	return nil, fmt.Errorf("mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, is %q", s.Mechanism)
}

// Options for a client; either block may be nil, which switches it off.
func Options(ctx context.Context, s *SASL, tls *configtls.ClientConfig) ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if s != nil {
		opt, err := s.option()
		if err != nil {
			return nil, fmt.Errorf("sasl: %w", err)
		}
		opts = append(opts, opt)
	}
	if tls != nil {
		config, err := tls.LoadTLSConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		if config != nil {
			opts = append(opts, kgo.DialTLSConfig(config))
		}
	}
	return opts, nil
}
