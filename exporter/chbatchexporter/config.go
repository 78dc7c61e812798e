package chbatchexporter

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Config of the exporter.
type Config struct {
	// Timeout of one attempt to insert.
	exporterhelper.TimeoutConfig `mapstructure:",squash"`
	// Retry says how to wait between attempts; max_elapsed_time 0, the default, never gives up.
	Retry configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// Queue holds what is not inserted yet.
	Queue QueueConfig `mapstructure:"sending_queue"`

	// Endpoints are host:port of ClickHouse's native protocol.
	Endpoints []string `mapstructure:"endpoints"`
	// Routing chooses between endpoints: failover, round_robin or shards.
	Routing string `mapstructure:"routing"`
	// Sharding is for routing shards.
	Sharding ShardingConfig `mapstructure:"sharding"`
	// Database is created when it is missing.
	Database string `mapstructure:"database"`
	// Username and Password of the ClickHouse user.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// TLS of the connections; plain text when it is not set.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// Compression of blocks on the wire and on disk: lz4, zstd or none.
	Compression string `mapstructure:"compression"`
	// MaxOpenConns bounds the connections of all signals together.
	MaxOpenConns int `mapstructure:"max_open_conns"`

	// FlushInterval is the longest wait of a row for its block to fill after a pause.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// InsertInterval is the shortest time between inserts into a table that are not full; 0: there is none.
	InsertInterval time.Duration `mapstructure:"insert_interval"`
	// Logs, Traces and Metrics bound blocks and queue of a signal.
	Logs    SignalConfig `mapstructure:"logs"`
	Traces  SignalConfig `mapstructure:"traces"`
	Metrics SignalConfig `mapstructure:"metrics"`
	// TimeWindow around the present: rows outside it are in blocks of their own, of few partitions each.
	TimeWindow time.Duration `mapstructure:"time_window"`
	// IdentifyRecords inserts the rows of a record of the Kafka receiver under an id that is made of the record, so that ClickHouse
	// knows them when the record is delivered again. Each record makes inserts of its own.
	IdentifyRecords bool `mapstructure:"identify_records"`
	// AsyncInsert lets ClickHouse collect inserts further; it answers when they are stored.
	AsyncInsert bool `mapstructure:"async_insert"`
	// DrainTimeout bounds how long a shutdown goes on inserting.
	DrainTimeout time.Duration `mapstructure:"drain_timeout"`
	// DeadLetter keeps rows that ClickHouse rejects.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`
	// Enrich fills columns of access_logs that NGINX has no value for.
	Enrich EnrichConfig `mapstructure:"enrich"`
	// GatewayMetrics are rows about this process; the metrics pipeline writes them.
	GatewayMetrics GatewayMetricsConfig `mapstructure:"gateway_metrics"`

	Schema SchemaConfig `mapstructure:",squash"`
}

// QueueConfig bounds what is not inserted yet. Keys are those of other exporters' sending_queue.
type QueueConfig struct {
	// NumConsumers is how many inserts of a signal run at the same time.
	NumConsumers int `mapstructure:"num_consumers"`
	// QueueSize bounds a signal's rows in bytes.
	QueueSize int `mapstructure:"queue_size"`
	// BlockOnOverflow makes senders wait while the queue is full; else they get an error and have to send again.
	BlockOnOverflow bool `mapstructure:"block_on_overflow"`
	// WaitForResult makes senders wait until their rows are in ClickHouse.
	WaitForResult bool `mapstructure:"wait_for_result"`
	// Storage is the extension that keeps the queue on disk; memory only when it is not set.
	Storage *component.ID `mapstructure:"storage"`
}

// SignalConfig bounds blocks and queue of a signal.
type SignalConfig struct {
	// MaxRows of a block.
	MaxRows int `mapstructure:"max_rows"`
	// MaxBytes of a block, before compression.
	MaxBytes int `mapstructure:"max_bytes"`
	// QueueRows bounds the rows that are not inserted yet.
	QueueRows int `mapstructure:"queue_rows"`
}

// ShardingConfig says which rows go to which endpoint, of which each is a shard.
type ShardingConfig struct {
	// By is agent, for all rows of an agent or service on one shard, or random, for equal load.
	By string `mapstructure:"by"`
	// OnFailure of a shard: wait, or reroute what was certainly not stored there to another.
	OnFailure string `mapstructure:"on_failure"`
}

// DeadLetterConfig says where rows go that ClickHouse rejects.
type DeadLetterConfig struct {
	// Directory of the files; rejected rows are counted as lost when it is not set.
	Directory string `mapstructure:"directory"`
	// Replay puts the files that are there at start into the queue again.
	Replay bool `mapstructure:"replay"`
}

// EnrichConfig switches what is looked up. Attributes that a record brings (geo.*, user_agent.*) come first.
type EnrichConfig struct {
	// UserAgent fills browser, operating system, device and is_bot.
	UserAgent bool `mapstructure:"user_agent"`
	// GeoIPDatabase is the path of a MaxMind database of cities; nothing is looked up when it is not set.
	GeoIPDatabase string `mapstructure:"geoip_database"`
}

// GatewayMetricsConfig says how gateway_metrics is written.
type GatewayMetricsConfig struct {
	// Interval between rows; 0 switches them off.
	Interval time.Duration `mapstructure:"interval"`
	// GatewayID names this process; default: the host name.
	GatewayID string `mapstructure:"gateway_id"`
}

// SchemaConfig says how tables are made.
type SchemaConfig struct {
	// CreateSchema creates and migrates database and tables.
	CreateSchema bool `mapstructure:"create_schema"`
	// Cluster makes Replicated tables ON CLUSTER, with Distributed ones before them.
	Cluster string `mapstructure:"cluster"`
	// TTL by table, in whole days; 0 keeps rows for ever.
	TTL map[string]time.Duration `mapstructure:"ttl"`
	// StoragePolicy of all tables.
	StoragePolicy string `mapstructure:"storage_policy"`
	// TableSettings are further MergeTree settings of all tables.
	TableSettings map[string]any `mapstructure:"table_settings"`
	// DeduplicationWindow is how many inserts per table ClickHouse remembers.
	DeduplicationWindow int `mapstructure:"deduplication_window"`
}

// Values of routing, sharding.by and sharding.on_failure.
const (
	routingFailover   = "failover"
	routingRoundRobin = "round_robin"
	routingShards     = "shards"
	shardByAgent      = "agent"
	shardByRandom     = "random"
	shardWait         = "wait"
	shardReroute      = "reroute"
)

const mib = 1 << 20

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval, retry.MaxInterval, retry.MaxElapsedTime = 500*time.Millisecond, 10*time.Second, 0
	return &Config{
		TimeoutConfig:  exporterhelper.TimeoutConfig{Timeout: 30 * time.Second},
		Retry:          retry,
		Queue:          QueueConfig{NumConsumers: 4, QueueSize: 128 * mib, BlockOnOverflow: true},
		Endpoints:      []string{"localhost:9000"},
		Routing:        routingFailover,
		Sharding:       ShardingConfig{By: shardByAgent, OnFailure: shardWait},
		Database:       "nginx_analytics",
		Username:       "default",
		Compression:    nativeblock.LZ4,
		MaxOpenConns:   20,
		FlushInterval:  100 * time.Millisecond,
		InsertInterval: time.Second,
		Logs:           SignalConfig{MaxRows: 10_000, MaxBytes: 32 * mib, QueueRows: 100_000},
		Traces:         SignalConfig{MaxRows: 20_000, MaxBytes: 32 * mib, QueueRows: 200_000},
		Metrics:        SignalConfig{MaxRows: 10_000, MaxBytes: 32 * mib, QueueRows: 100_000},
		TimeWindow:     7 * 24 * time.Hour,
		DrainTimeout:   10 * time.Second,
		Enrich:         EnrichConfig{UserAgent: true},
		GatewayMetrics: GatewayMetricsConfig{Interval: 10 * time.Second},
		Schema:         SchemaConfig{CreateSchema: true, DeduplicationWindow: 10_000},
	}
}
