// Package connect reaches the brokers: TLS and SASL from the snippets that the shipped configurations take, and waiting.
package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"

	"github.com/avika-ai/avika-collector/internal/kafkaclient"
)

// Security reads KAFKA_SASL and KAFKA_TLS as the collector does; an empty snippet, or null, switches it off.
func Security(ctx context.Context, saslSnippet, tlsSnippet string) ([]kgo.Opt, error) {
	sasl, tls := &kafkaclient.SASL{}, configtls.NewDefaultClientConfig()
	auth, err := decode(saslSnippet, sasl)
	if err != nil {
		return nil, fmt.Errorf("KAFKA_SASL: %w", err)
	}
	encryption, err := decode(tlsSnippet, &tls)
	if err != nil {
		return nil, fmt.Errorf("KAFKA_TLS: %w", err)
	}
	if !auth {
		sasl = nil
	}
	if !encryption {
		return kafkaclient.Options(ctx, sasl, nil)
	}
	return kafkaclient.Options(ctx, sasl, &tls)
}

var variable = regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)

// decode reads a snippet of YAML. It returns false when there is none.
func decode(snippet string, into any) (bool, error) {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(snippet))
	if err != nil {
		return false, errors.New("is no YAML") // it may hold a password: do not quote it
	}
	raw, err := retrieved.AsRaw()
	if err != nil || raw == nil || raw == "" {
		return false, err
	}
	fields, ok := raw.(map[string]any)
	if !ok {
		return false, errors.New("is not of the form {name: value, …}")
	}
	for name, value := range fields {
		if text, ok := value.(string); ok {
			fields[name] = variable.ReplaceAllStringFunc(text, func(v string) string {
				return os.Getenv(variable.FindStringSubmatch(v)[1])
			})
		}
	}
	return true, confmap.NewFromStringMap(fields).Unmarshal(into)
}

// Wait until a broker answers, with a word to progress when that takes longer.
func Wait(ctx context.Context, client *kgo.Client, limit time.Duration, progress io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for said := false; ; said = true {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := client.Ping(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if !said {
			fmt.Fprintf(progress, "avika-topics: waiting up to %s for the brokers: %v\n", limit, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("no broker answers: %w", err)
		}
	}
}
