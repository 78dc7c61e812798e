package avikareceiver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
)

// Config configures the receiver. The gRPC server's settings (endpoint, tls, auth, keepalive, message size …) stand at
// the top level.
type Config struct {
	configgrpc.ServerConfig `mapstructure:",squash"`

	// Registry is the agent_registry extension that is told of agents and whose commands they get. Without one the
	// receiver only receives.
	Registry *component.ID `mapstructure:"registry"`

	// PSK makes agents prove who they are with a pre-shared key.
	PSK PSKConfig `mapstructure:"psk"`

	// TrustedProxies are the networks (CIDR, or single addresses) whose X-Forwarded-For is believed. Each entry may be
	// a list separated by commas.
	TrustedProxies []string `mapstructure:"trusted_proxies"`

	// Spans are made from access records when the receiver is in a traces pipeline.
	Spans SpansConfig `mapstructure:"spans"`

	// Batch bounds what a stream collects before it goes to the pipeline.
	Batch BatchConfig `mapstructure:"batch"`

	// Limits protect the gateway from too many, too large and silent agents.
	Limits LimitsConfig `mapstructure:"limits"`

	// Retry is how data is offered again that the pipeline refused for now. The agent's stream is not read meanwhile.
	Retry configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// ShutdownTimeout is how long a shutdown waits for the pipeline to take what was received.
	ShutdownTimeout time.Duration `mapstructure:"shutdown_timeout"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// PSKConfig is on when there is a key in Keys, or a KeyFile.
type PSKConfig struct {
	// Keys are hex-encoded, 32 bytes each, separated by commas. An agent may use any of them, so that keys can be rotated.
	Keys configopaque.String `mapstructure:"keys"`

	// KeyFile holds further keys, one per line; lines that start with # are comments. It is read again when it changes.
	KeyFile string `mapstructure:"key_file"`

	// ClockSkew is how far an agent's clock may be off.
	ClockSkew time.Duration `mapstructure:"clock_skew"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SpansConfig configures the spans that are made from access records.
type SpansConfig struct {
	// Enabled makes spans when the receiver is in a traces pipeline.
	Enabled bool `mapstructure:"enabled"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// BatchConfig bounds the batch that a stream collects while the one before is with the pipeline. When both are full the
// stream is not read any more.
type BatchConfig struct {
	// MaxRecords is the number of log records after which a batch goes to the pipeline.
	MaxRecords int `mapstructure:"max_records"`

	// MaxBytes is the size, as received, after which a batch goes to the pipeline.
	MaxBytes int `mapstructure:"max_bytes"`

	// Timeout is how long the first record of a batch waits for others. Samples of a stream that sends nothing else go on to Gather at once.
	Timeout time.Duration `mapstructure:"timeout"`

	// Gather is how long the batch of a stream waits for those of others, to be handed over with them in one call. Pipelines do
	// not see the address of the agent then. Zero hands over each stream alone; so does whatever lets pipelines see who a
	// stream is from: include_metadata, auth and partitions.
	Gather time.Duration `mapstructure:"gather"`

	// Partitions spreads agents' hosts over this many values of the client metadata avika.partition, so that an exporter can
	// batch and key by it: each is the key of another partition of a Kafka topic with as many. Zero leaves the metadata alone.
	Partitions int `mapstructure:"partitions"`

	// Reuse uses the memory of log records, spans and metrics again when the pipelines have let go of them, which saves a third
	// of the CPU time. It is only for pipelines whose components keep nothing after they have returned, or count a reference to what they keep,
	// as the collector's core and the ch_batch exporter do. Others would see data change.
	Reuse bool `mapstructure:"reuse"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// LimitsConfig holds the limits that are not the gRPC server's own.
type LimitsConfig struct {
	// Streams is the number of streams that may be open.
	Streams int `mapstructure:"streams"`

	// PendingBytes bounds, over all streams, what was received and is not with the pipeline yet. Streams are
	// not read while it is reached.
	PendingBytes int `mapstructure:"pending_bytes"`

	// StreamWindow is what an agent may have under way that the receiver has not read, in bytes. It is HTTP/2's flow
	// control window, at least 65535.
	StreamWindow int `mapstructure:"stream_window"`

	// Labels is how many labels of an agent are kept.
	Labels int `mapstructure:"labels"`

	// IdleTimeout is how long a stream may be silent before it is closed. Zero means forever.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	defaultEndpoint = "localhost:5020"
	minStreamWindow = 65535
	maxStreamWindow = 1<<31 - 1
	pskKeyBytes     = 32
	maxPartitions   = 10_000
)

func createDefaultConfig() component.Config {
	server := configgrpc.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultEndpoint
	server.MaxRecvMsgSizeMiB = 4
	server.ReadBufferSize = 32 << 10
	server.WriteBufferSize = 4 << 10
	server.Keepalive = configoptional.Some(defaultKeepalive())
	return &Config{
		ServerConfig: server,
		PSK:          PSKConfig{ClockSkew: 5 * time.Minute},
		Spans:        SpansConfig{Enabled: true},
		Batch:        BatchConfig{MaxRecords: 250, MaxBytes: 1 << 20, Timeout: 100 * time.Millisecond, Gather: 20 * time.Millisecond},
		Limits: LimitsConfig{
			Streams:      20_000,
			PendingBytes: 24 << 20,
			StreamWindow: 256 << 10,
			Labels:       64,
			IdleTimeout:  2 * time.Minute,
		},
		Retry:           defaultRetry(),
		ShutdownTimeout: 10 * time.Second,
	}
}

// defaultKeepalive finds out about agents that went without a word, closes connections on which nobody has a stream, and does not send
// agents away that ask often whether the gateway is there: stock agents cannot be changed.
func defaultKeepalive() configgrpc.KeepaliveServerConfig {
	keepalive := configgrpc.NewDefaultKeepaliveServerConfig()
	keepalive.ServerParameters.Get().Time = time.Minute
	keepalive.ServerParameters.Get().Timeout = 20 * time.Second
	keepalive.ServerParameters.Get().MaxConnectionIdle = 5 * time.Minute
	keepalive.EnforcementPolicy.Get().MinTime = time.Second
	keepalive.EnforcementPolicy.Get().PermitWithoutStream = true
	return keepalive
}

func defaultRetry() configretry.BackOffConfig {
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = 100 * time.Millisecond
	retry.MaxInterval = 5 * time.Second
	retry.MaxElapsedTime = 0
	return retry
}

// Validate checks what the parts cannot check themselves.
func (c *Config) Validate() error {
	var errs error
	if c.NetAddr.Endpoint == "" {
		errs = errors.Join(errs, errors.New(`"endpoint" must not be empty`))
	}
	if _, err := parsePrefixes(c.TrustedProxies); err != nil {
		errs = errors.Join(errs, fmt.Errorf(`"trusted_proxies": %w`, err))
	}
	if c.ShutdownTimeout <= 0 {
		errs = errors.Join(errs, fmt.Errorf(`"shutdown_timeout" must be positive, is %v`, c.ShutdownTimeout))
	} else if c.Batch.Gather >= c.ShutdownTimeout {
		errs = errors.Join(errs, fmt.Errorf(`"batch::gather" must be shorter than "shutdown_timeout" (%v), is %v`, c.ShutdownTimeout, c.Batch.Gather))
	}
	return errs
}

// age returns the settings that say how old a connection may become.
func (c *Config) age() configgrpc.KeepaliveServerParameters {
	if c.Keepalive.HasValue() && c.Keepalive.Get().ServerParameters.HasValue() {
		return *c.Keepalive.Get().ServerParameters.Get()
	}
	return configgrpc.KeepaliveServerParameters{}
}

// Validate checks the keys. The file is read at start.
func (c *PSKConfig) Validate() error {
	_, err := parseKeys(string(c.Keys))
	if err != nil {
		err = fmt.Errorf(`"keys": %w`, err)
	}
	if c.ClockSkew <= 0 {
		err = errors.Join(err, fmt.Errorf(`"clock_skew" must be positive, is %v`, c.ClockSkew))
	}
	return err
}

// Validate checks the bounds of a batch.
func (c *BatchConfig) Validate() error {
	errs := errors.Join(
		positive("max_records", int64(c.MaxRecords)),
		positive("max_bytes", int64(c.MaxBytes)),
		positive("timeout", int64(c.Timeout)),
	)
	if c.Gather < 0 {
		errs = errors.Join(errs, fmt.Errorf(`"gather" must not be negative, is %v`, c.Gather))
	}
	if c.Partitions < 0 || c.Partitions > maxPartitions {
		errs = errors.Join(errs, fmt.Errorf(`"partitions" must be from 0 to %d, is %d`, maxPartitions, c.Partitions))
	}
	return errs
}

// Validate checks the limits.
func (c *LimitsConfig) Validate() error {
	errs := errors.Join(
		positive("streams", int64(c.Streams)),
		positive("pending_bytes", int64(c.PendingBytes)),
	)
	if c.StreamWindow < minStreamWindow || c.StreamWindow > maxStreamWindow {
		errs = errors.Join(errs, fmt.Errorf(`"stream_window" must be from %d to %d, is %d`, minStreamWindow, maxStreamWindow, c.StreamWindow))
	}
	if c.Labels < 0 {
		errs = errors.Join(errs, fmt.Errorf(`"labels" must not be negative, is %d`, c.Labels))
	}
	if c.IdleTimeout < 0 {
		errs = errors.Join(errs, fmt.Errorf(`"idle_timeout" must not be negative, is %v`, c.IdleTimeout))
	}
	return errs
}

func positive(key string, value int64) error {
	if value > 0 {
		return nil
	}
	return fmt.Errorf("%q must be positive, is %d", key, value)
}

// parseKeys reads hex keys that are separated by commas or white space. It never quotes a key.
func parseKeys(list string) ([][]byte, error) {
	var keys [][]byte
	for i, field := range strings.FieldsFunc(list, isSeparator) {
		key, err := hex.DecodeString(field)
		if err != nil {
			return nil, fmt.Errorf("key %d is not hex-encoded", i+1)
		}
		if len(key) != pskKeyBytes {
			return nil, fmt.Errorf("key %d has %d bytes, must have %d", i+1, len(key), pskKeyBytes)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// parsePrefixes reads networks and single addresses; entries may be lists.
func parsePrefixes(entries []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, field := range strings.FieldsFunc(strings.Join(entries, ","), isSeparator) {
		prefix, err := parsePrefix(field)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network nor an address", text)
	}
	return prefix.Masked(), nil
}
