package sizing

import (
	"errors"
	"fmt"
	"time"
)

// Need is what is known of a fleet. Default has the values for what is not known.
type Need struct {
	// Agents is the number of NGINX agents.
	Agents int
	// RPS is the number of requests, and so of log lines, that all agents together have in a second.
	RPS float64
	// Retention is how long access logs are kept.
	Retention time.Duration
	// LogBytes and SpanBytes are the average sizes of a record before compression, in bytes.
	LogBytes, SpanBytes float64
	// CompressionRatio is bytes on ClickHouse's disk per byte of log.
	CompressionRatio float64
	// LogBuffer and SpanBuffer are the rows that a gateway may hold for ClickHouse, CH_LOG_BUFFER_SIZE and
	// CH_SPAN_BUFFER_SIZE.
	LogBuffer, SpanBuffer int
}

// Default is a small fleet with the defaults of the gateway: 7 days are the TTL of access_logs.
func Default() Need {
	return Need{
		Agents: 10, RPS: 1000, Retention: 7 * day,
		LogBytes: 500, SpanBytes: 250, CompressionRatio: 0.15,
		LogBuffer: 100_000, SpanBuffer: 200_000,
	}
}

const day = 24 * time.Hour

// Validate names every field that cannot be computed with.
func (n Need) Validate() error {
	var errs []error
	check := func(ok bool, name, want string, value any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s must be %s, is %v", name, want, value))
		}
	}
	check(n.Agents > 0, "agents", "positive", n.Agents)
	check(finite(n.RPS) && n.RPS >= 0, "rps", "a number of at least 0", n.RPS)
	check(n.Retention >= time.Second, "retention", "at least 1s", n.Retention)
	check(finite(n.LogBytes) && n.LogBytes > 0, "log-bytes", "positive", n.LogBytes)
	check(finite(n.SpanBytes) && n.SpanBytes > 0, "span-bytes", "positive", n.SpanBytes)
	check(n.CompressionRatio > 0 && n.CompressionRatio <= 1, "compression-ratio", "above 0 and at most 1", n.CompressionRatio)
	check(n.LogBuffer > 0, "log-buffer", "positive", n.LogBuffer)
	check(n.SpanBuffer > 0, "span-buffer", "positive", n.SpanBuffer)
	return errors.Join(errs...)
}

// finite is false for NaN and for numbers that no fleet reaches but that overflow a quantity.
func finite(x float64) bool { return x == x && x < 1e12 && x > -1e12 }
