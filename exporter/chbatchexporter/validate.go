package chbatchexporter

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
)

// Validate checks what the keys say together; nested blocks check themselves.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateEndpoints(),
		oneOf("routing", c.Routing, routingFailover, routingRoundRobin, routingShards),
		oneOf("compression", c.Compression, nativeblock.LZ4, nativeblock.ZSTD, nativeblock.None),
		required("database", c.Database),
		positive("max_open_conns", c.MaxOpenConns),
		positive("flush_interval", c.FlushInterval),
		notNegative("insert_interval", c.InsertInterval),
		positive("time_window", c.TimeWindow),
		positive("drain_timeout", c.DrainTimeout),
		positive("timeout", c.Timeout),
		c.validateQueue(),
		c.validateRecords(),
	)
}

// validateRecords: where rows may be on any shard no shard can tell that they came before.
func (c *Config) validateRecords() error {
	if c.IdentifyRecords && c.Routing == routingShards && (c.Sharding.By == shardByRandom || c.Sharding.OnFailure == shardReroute) {
		return fmt.Errorf("identify_records needs sharding.by %q and sharding.on_failure %q, is %q and %q",
			shardByAgent, shardWait, c.Sharding.By, c.Sharding.OnFailure)
	}
	return nil
}

func (c *Config) validateQueue() error {
	var errs []error
	for i, s := range []SignalConfig{c.Logs, c.Traces, c.Metrics} {
		if s.QueueRows < s.MaxRows {
			name := []string{"logs", "traces", "metrics"}[i]
			errs = append(errs, fmt.Errorf("%s.queue_rows %d is less than %s.max_rows %d", name, s.QueueRows, name, s.MaxRows))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateEndpoints() error {
	if len(c.endpoints()) == 0 {
		return errors.New("endpoints must name a ClickHouse")
	}
	for _, e := range c.endpoints() {
		if host, port, err := net.SplitHostPort(e); err != nil || host == "" || port == "" {
			return fmt.Errorf("endpoints: %q is not host:port", e)
		}
	}
	return nil
}

// endpoints are without the spaces of a list in one string.
func (c *Config) endpoints() []string {
	var out []string
	for _, e := range c.Endpoints {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

// Validate checks the queue.
func (c *QueueConfig) Validate() error {
	var errs []error
	if c.QueueSize < mib {
		errs = append(errs, fmt.Errorf("queue_size %d is in bytes, and at least %d", c.QueueSize, mib))
	}
	return errors.Join(append(errs, positive("num_consumers", c.NumConsumers))...)
}

// Validate checks a signal.
func (c *SignalConfig) Validate() error {
	return errors.Join(positive("max_rows", c.MaxRows), positive("max_bytes", c.MaxBytes), positive("queue_rows", c.QueueRows))
}

// Validate checks sharding.
func (c *ShardingConfig) Validate() error {
	return errors.Join(
		oneOf("by", c.By, shardByAgent, shardByRandom),
		oneOf("on_failure", c.OnFailure, shardWait, shardReroute),
	)
}

// Validate checks dead letters.
func (c *DeadLetterConfig) Validate() error {
	if c.Replay && c.Directory == "" {
		return errors.New("replay needs a directory")
	}
	return nil
}

// Validate checks gateway metrics.
func (c *GatewayMetricsConfig) Validate() error {
	return notNegative("interval", c.Interval)
}

// Validate checks the schema.
func (c *SchemaConfig) Validate() error {
	errs := []error{positive("deduplication_window", c.DeduplicationWindow)}
	for table, ttl := range c.TTL {
		if schema.TimeColumn(table) == "" {
			errs = append(errs, fmt.Errorf("ttl: there is no table %q", table))
		}
		if ttl < 0 || ttl%(24*time.Hour) != 0 {
			errs = append(errs, fmt.Errorf("ttl of %s: %v is not a number of whole days", table, ttl))
		}
	}
	for name, value := range c.TableSettings {
		switch value.(type) {
		case string, bool, int, int64, uint64, float64:
		default:
			errs = append(errs, fmt.Errorf("table_settings: %s must be a number or a text, not %v", name, value))
		}
	}
	return errors.Join(errs...)
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s %q is none of %s", key, value, strings.Join(allowed, ", "))
}

func required(key, value string) error {
	if value == "" {
		return fmt.Errorf("%s must not be empty", key)
	}
	return nil
}

func notNegative(key string, value time.Duration) error {
	if value < 0 {
		return fmt.Errorf("%s must not be negative, not %v", key, value)
	}
	return nil
}

func positive[T int | time.Duration](key string, value T) error {
	if value <= 0 {
		return fmt.Errorf("%s must be positive, not %v", key, value)
	}
	return nil
}
