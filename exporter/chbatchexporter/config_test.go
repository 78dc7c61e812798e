package chbatchexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadata"
	"github.com/avika-ai/avika-collector/internal/configdocs"
)

func defaultConfig() *Config {
	cfg, _ := createDefaultConfig().(*Config)
	return cfg
}

func TestConfig(t *testing.T) {
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for name, want := range map[string]*Config{"": defaultConfig(), "one_string": oneString(), "records": records(), "all": allKeys()} {
		t.Run(name, func(t *testing.T) {
			sub, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
			require.NoError(t, err)
			cfg := defaultConfig()
			require.NoError(t, sub.Unmarshal(cfg))
			require.NoError(t, xconfmap.Validate(cfg))
			assert.Equal(t, want, cfg)
		})
	}
}

func oneString() *Config {
	cfg := defaultConfig()
	cfg.Endpoints = []string{"ch-1:9000", " ch-2:9000"}
	return cfg
}

func records() *Config {
	cfg := defaultConfig()
	cfg.IdentifyRecords, cfg.Queue.WaitForResult = true, true
	return cfg
}

func TestEndpointsOfOneStringAreTrimmed(t *testing.T) {
	assert.Equal(t, []string{"ch-1:9000", "ch-2:9000"}, oneString().endpoints())
}

func allKeys() *Config {
	storage := component.MustNewIDWithName("file_storage", "queue")
	cfg := defaultConfig()
	cfg.Timeout = 15 * time.Second
	cfg.Retry.InitialInterval, cfg.Retry.MaxElapsedTime = time.Second, time.Hour
	cfg.Queue = QueueConfig{NumConsumers: 8, QueueSize: 64 * mib, WaitForResult: true, Storage: &storage}
	cfg.Endpoints = []string{"ch-1:9440", "ch-2:9440"}
	cfg.Routing, cfg.Sharding = routingShards, ShardingConfig{By: shardByRandom, OnFailure: shardReroute}
	cfg.Database, cfg.Username, cfg.Password = "telemetry", "writer", "secret"
	cfg.TLS = configoptional.Some(configtls.ClientConfig{Config: configtls.Config{CAFile: "ca.pem"}})
	cfg.Compression, cfg.MaxOpenConns, cfg.FlushInterval = "zstd", 50, 50*time.Millisecond
	cfg.InsertInterval = 2 * time.Second
	cfg.Logs = SignalConfig{MaxRows: 50_000, MaxBytes: 1_000_000, QueueRows: 500_000}
	cfg.Traces.MaxRows, cfg.Traces.QueueRows = 100_000, 1_000_000
	cfg.Metrics.QueueRows = 20_000
	cfg.TimeWindow, cfg.AsyncInsert, cfg.DrainTimeout = 48*time.Hour, true, 30*time.Second
	cfg.DeadLetter = DeadLetterConfig{Directory: "/var/lib/dead", Replay: true}
	cfg.Enrich = EnrichConfig{GeoIPDatabase: "/usr/share/GeoLite2-City.mmdb"}
	cfg.GatewayMetrics = GatewayMetricsConfig{Interval: time.Minute, GatewayID: "gw-1"}
	cfg.Schema = SchemaConfig{
		Cluster: "main", TTL: map[string]time.Duration{"access_logs": 336 * time.Hour, "otel_logs": 0}, StoragePolicy: "tiered",
		TableSettings: map[string]any{"merge_with_ttl_timeout": "3600"}, DeduplicationWindow: 1000,
	}
	return cfg
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`endpoints must name a ClickHouse`:                       func(c *Config) { c.Endpoints = []string{" "} },
		`endpoints: "ch-1" is not host:port`:                     func(c *Config) { c.Endpoints = []string{"ch-1"} },
		`routing "best" is none of failover`:                     func(c *Config) { c.Routing = "best" },
		`sharding: by "x" is none of agent`:                      func(c *Config) { c.Sharding.By = "x" },
		`on_failure "drop" is none of wait`:                      func(c *Config) { c.Sharding.OnFailure = "drop" },
		`compression "gzip" is none of lz4`:                      func(c *Config) { c.Compression = "gzip" },
		`database must not be empty`:                             func(c *Config) { c.Database = "" },
		`max_open_conns must be positive, not 0`:                 func(c *Config) { c.MaxOpenConns = 0 },
		`flush_interval must be positive, not 0s`:                func(c *Config) { c.FlushInterval = 0 },
		`insert_interval must not be negative, not -1ns`:         func(c *Config) { c.InsertInterval = -1 },
		`time_window must be positive, not 0s`:                   func(c *Config) { c.TimeWindow = 0 },
		`drain_timeout must be positive, not -1s`:                func(c *Config) { c.DrainTimeout = -time.Second },
		`timeout must be positive, not 0s`:                       func(c *Config) { c.Timeout = 0 },
		`logs.queue_rows 10 is less than logs.max_rows 10000`:    func(c *Config) { c.Logs.QueueRows = 10 },
		`traces: max_rows must be positive, not 0`:               func(c *Config) { c.Traces.MaxRows = 0 },
		`metrics: max_bytes must be positive, not -1`:            func(c *Config) { c.Metrics.MaxBytes = -1 },
		`sending_queue: queue_size 1000 is in bytes`:             func(c *Config) { c.Queue.QueueSize = 1000 },
		`num_consumers must be positive, not 0`:                  func(c *Config) { c.Queue.NumConsumers = 0 },
		`dead_letter: replay needs a directory`:                  func(c *Config) { c.DeadLetter.Replay = true },
		`gateway_metrics: interval must not be negative`:         func(c *Config) { c.GatewayMetrics.Interval = -1 },
		`deduplication_window must be positive, not 0`:           func(c *Config) { c.Schema.DeduplicationWindow = 0 },
		`ttl of access_logs: 36h0m0s is not a number of whole d`: func(c *Config) { c.Schema.TTL = map[string]time.Duration{"access_logs": 36 * time.Hour} },
		`ttl: there is no table "acess_logs"`:                    func(c *Config) { c.Schema.TTL = map[string]time.Duration{"acess_logs": 24 * time.Hour} },
		`table_settings: x must be a number or a text`:           func(c *Config) { c.Schema.TableSettings = map[string]any{"x": []any{1}} },
		`retry_on_failure: 'max_interval' must be non-negative`:  func(c *Config) { c.Retry.MaxInterval = -1 },
		`identify_records needs sharding.by "agent" and sharding.on_failure "wait", is "random" and "wait"`: func(c *Config) {
			c.IdentifyRecords, c.Routing, c.Sharding.By = true, routingShards, shardByRandom
		},
		`sharding.on_failure "wait", is "agent" and "reroute"`: func(c *Config) {
			c.IdentifyRecords, c.Routing, c.Sharding.OnFailure = true, routingShards, shardReroute
		},
	} {
		cfg := defaultConfig()
		change(cfg)
		require.ErrorContains(t, xconfmap.Validate(cfg), want)
	}
}

func TestREADMENamesEveryKey(t *testing.T) {
	unnamed, err := configdocs.Unnamed("README.md", createDefaultConfig())
	require.NoError(t, err)
	require.Empty(t, unnamed)
}
