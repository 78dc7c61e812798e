CREATE TABLE IF NOT EXISTS `nginx_analytics`.`access_logs` (
    `timestamp` DateTime64(3) CODEC(Delta, LZ4),
    `instance_id` LowCardinality(String),
    `remote_addr` String,
    `request_method` LowCardinality(String),
    `request_uri` String,
    `status` UInt16,
    `body_bytes_sent` UInt64,
    `request_time` Float32,
    `request_id` String,
    `upstream_addr` String,
    `upstream_status` LowCardinality(String),
    `upstream_connect_time` Float32,
    `upstream_header_time` Float32,
    `upstream_response_time` Float32,
    `user_agent` String,
    `referer` String,
    `labels` Map(String, String),
    `client_ip` String,
    `country` String,
    `country_code` String,
    `city` String,
    `region` String,
    `latitude` Float64,
    `longitude` Float64,
    `timezone` String,
    `isp` String,
    `is_bot` UInt8,
    `browser_family` String,
    `browser_version` String,
    `os_family` String,
    `os_version` String,
    `device_type` String,
    `trace_id` String,
    `span_id` String,
    `host` LowCardinality(String),
    `scheme` LowCardinality(String),
    `protocol` LowCardinality(String),
    `cache_status` LowCardinality(String),
    `x_forwarded_for` String,
    `raw` String CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (instance_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(7)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`access_logs` ADD COLUMN IF NOT EXISTS `timestamp` DateTime64(3) CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `instance_id` LowCardinality(String), ADD COLUMN IF NOT EXISTS `remote_addr` String, ADD COLUMN IF NOT EXISTS `request_method` LowCardinality(String), ADD COLUMN IF NOT EXISTS `request_uri` String, ADD COLUMN IF NOT EXISTS `status` UInt16, ADD COLUMN IF NOT EXISTS `body_bytes_sent` UInt64, ADD COLUMN IF NOT EXISTS `request_time` Float32, ADD COLUMN IF NOT EXISTS `request_id` String, ADD COLUMN IF NOT EXISTS `upstream_addr` String, ADD COLUMN IF NOT EXISTS `upstream_status` LowCardinality(String), ADD COLUMN IF NOT EXISTS `upstream_connect_time` Float32, ADD COLUMN IF NOT EXISTS `upstream_header_time` Float32, ADD COLUMN IF NOT EXISTS `upstream_response_time` Float32, ADD COLUMN IF NOT EXISTS `user_agent` String, ADD COLUMN IF NOT EXISTS `referer` String, ADD COLUMN IF NOT EXISTS `labels` Map(String, String), ADD COLUMN IF NOT EXISTS `client_ip` String, ADD COLUMN IF NOT EXISTS `country` String, ADD COLUMN IF NOT EXISTS `country_code` String, ADD COLUMN IF NOT EXISTS `city` String, ADD COLUMN IF NOT EXISTS `region` String, ADD COLUMN IF NOT EXISTS `latitude` Float64, ADD COLUMN IF NOT EXISTS `longitude` Float64, ADD COLUMN IF NOT EXISTS `timezone` String, ADD COLUMN IF NOT EXISTS `isp` String, ADD COLUMN IF NOT EXISTS `is_bot` UInt8, ADD COLUMN IF NOT EXISTS `browser_family` String, ADD COLUMN IF NOT EXISTS `browser_version` String, ADD COLUMN IF NOT EXISTS `os_family` String, ADD COLUMN IF NOT EXISTS `os_version` String, ADD COLUMN IF NOT EXISTS `device_type` String, ADD COLUMN IF NOT EXISTS `trace_id` String, ADD COLUMN IF NOT EXISTS `span_id` String, ADD COLUMN IF NOT EXISTS `host` LowCardinality(String), ADD COLUMN IF NOT EXISTS `scheme` LowCardinality(String), ADD COLUMN IF NOT EXISTS `protocol` LowCardinality(String), ADD COLUMN IF NOT EXISTS `cache_status` LowCardinality(String), ADD COLUMN IF NOT EXISTS `x_forwarded_for` String, ADD COLUMN IF NOT EXISTS `raw` String CODEC(ZSTD(1));

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`error_logs` (
    `timestamp` DateTime64(3) CODEC(Delta, LZ4),
    `instance_id` LowCardinality(String),
    `level` LowCardinality(String),
    `pid` UInt32,
    `tid` UInt32,
    `connection` UInt64,
    `message` String CODEC(ZSTD(1)),
    `client` String,
    `server` String,
    `request` String CODEC(ZSTD(1)),
    `upstream` String,
    `host` String,
    `raw` String CODEC(ZSTD(1)),
    `labels` Map(String, String)
) ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (instance_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(7)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`error_logs` ADD COLUMN IF NOT EXISTS `timestamp` DateTime64(3) CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `instance_id` LowCardinality(String), ADD COLUMN IF NOT EXISTS `level` LowCardinality(String), ADD COLUMN IF NOT EXISTS `pid` UInt32, ADD COLUMN IF NOT EXISTS `tid` UInt32, ADD COLUMN IF NOT EXISTS `connection` UInt64, ADD COLUMN IF NOT EXISTS `message` String CODEC(ZSTD(1)), ADD COLUMN IF NOT EXISTS `client` String, ADD COLUMN IF NOT EXISTS `server` String, ADD COLUMN IF NOT EXISTS `request` String CODEC(ZSTD(1)), ADD COLUMN IF NOT EXISTS `upstream` String, ADD COLUMN IF NOT EXISTS `host` String, ADD COLUMN IF NOT EXISTS `raw` String CODEC(ZSTD(1)), ADD COLUMN IF NOT EXISTS `labels` Map(String, String);

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`nginx_metrics` (
    `timestamp` DateTime64(3) CODEC(Delta, LZ4),
    `instance_id` LowCardinality(String),
    `active_connections` UInt32,
    `accepted_connections` UInt64 CODEC(DoubleDelta, LZ4),
    `handled_connections` UInt64 CODEC(DoubleDelta, LZ4),
    `total_requests` UInt64 CODEC(DoubleDelta, LZ4),
    `reading` UInt32,
    `writing` UInt32,
    `waiting` UInt32,
    `requests_per_second` Float64,
    `status_2xx` UInt64 CODEC(DoubleDelta, LZ4),
    `status_3xx` UInt64 CODEC(DoubleDelta, LZ4),
    `status_4xx` UInt64 CODEC(DoubleDelta, LZ4),
    `status_5xx` UInt64 CODEC(DoubleDelta, LZ4),
    `bytes_in` UInt64 CODEC(DoubleDelta, LZ4),
    `bytes_out` UInt64 CODEC(DoubleDelta, LZ4),
    `labels` Map(String, String)
) ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (instance_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(30)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`nginx_metrics` ADD COLUMN IF NOT EXISTS `timestamp` DateTime64(3) CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `instance_id` LowCardinality(String), ADD COLUMN IF NOT EXISTS `active_connections` UInt32, ADD COLUMN IF NOT EXISTS `accepted_connections` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `handled_connections` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `total_requests` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `reading` UInt32, ADD COLUMN IF NOT EXISTS `writing` UInt32, ADD COLUMN IF NOT EXISTS `waiting` UInt32, ADD COLUMN IF NOT EXISTS `requests_per_second` Float64, ADD COLUMN IF NOT EXISTS `status_2xx` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `status_3xx` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `status_4xx` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `status_5xx` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `bytes_in` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `bytes_out` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `labels` Map(String, String);

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`system_metrics` (
    `timestamp` DateTime64(3) CODEC(Delta, LZ4),
    `instance_id` LowCardinality(String),
    `cpu_usage` Float32 CODEC(Gorilla, LZ4),
    `memory_usage` Float32 CODEC(Gorilla, LZ4),
    `memory_total` UInt64 CODEC(Delta, LZ4),
    `memory_used` UInt64 CODEC(Delta, LZ4),
    `network_rx_bytes` UInt64 CODEC(DoubleDelta, LZ4),
    `network_tx_bytes` UInt64 CODEC(DoubleDelta, LZ4),
    `network_rx_rate` Float32,
    `network_tx_rate` Float32,
    `cpu_user` Float32 CODEC(Gorilla, LZ4),
    `cpu_system` Float32 CODEC(Gorilla, LZ4),
    `cpu_iowait` Float32 CODEC(Gorilla, LZ4),
    `labels` Map(String, String)
) ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (instance_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(30)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`system_metrics` ADD COLUMN IF NOT EXISTS `timestamp` DateTime64(3) CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `instance_id` LowCardinality(String), ADD COLUMN IF NOT EXISTS `cpu_usage` Float32 CODEC(Gorilla, LZ4), ADD COLUMN IF NOT EXISTS `memory_usage` Float32 CODEC(Gorilla, LZ4), ADD COLUMN IF NOT EXISTS `memory_total` UInt64 CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `memory_used` UInt64 CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `network_rx_bytes` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `network_tx_bytes` UInt64 CODEC(DoubleDelta, LZ4), ADD COLUMN IF NOT EXISTS `network_rx_rate` Float32, ADD COLUMN IF NOT EXISTS `network_tx_rate` Float32, ADD COLUMN IF NOT EXISTS `cpu_user` Float32 CODEC(Gorilla, LZ4), ADD COLUMN IF NOT EXISTS `cpu_system` Float32 CODEC(Gorilla, LZ4), ADD COLUMN IF NOT EXISTS `cpu_iowait` Float32 CODEC(Gorilla, LZ4), ADD COLUMN IF NOT EXISTS `labels` Map(String, String);

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`gateway_metrics` (
    `timestamp` DateTime64(3) CODEC(Delta, LZ4),
    `gateway_id` LowCardinality(String),
    `eps` Float32,
    `active_connections` UInt32,
    `cpu_usage` Float32,
    `memory_mb` Float32,
    `goroutines` UInt32,
    `db_latency_ms` Float32,
    `labels` Map(String, String)
) ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (gateway_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(30)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`gateway_metrics` ADD COLUMN IF NOT EXISTS `timestamp` DateTime64(3) CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `gateway_id` LowCardinality(String), ADD COLUMN IF NOT EXISTS `eps` Float32, ADD COLUMN IF NOT EXISTS `active_connections` UInt32, ADD COLUMN IF NOT EXISTS `cpu_usage` Float32, ADD COLUMN IF NOT EXISTS `memory_mb` Float32, ADD COLUMN IF NOT EXISTS `goroutines` UInt32, ADD COLUMN IF NOT EXISTS `db_latency_ms` Float32, ADD COLUMN IF NOT EXISTS `labels` Map(String, String);

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`traffic_5min` (
    `ts` DateTime CODEC(Delta, LZ4),
    `instance_id` LowCardinality(String),
    `requests` UInt64,
    `errors` UInt64,
    `s2xx` UInt64,
    `s3xx` UInt64,
    `s4xx` UInt64,
    `s5xx` UInt64,
    `total_bytes` UInt64,
    `sum_latency` Float64,
    `latency_count` UInt64
) ENGINE = SummingMergeTree
PARTITION BY toDate(ts)
ORDER BY (instance_id, ts)
TTL ts + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`traffic_5min` ADD COLUMN IF NOT EXISTS `ts` DateTime CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `instance_id` LowCardinality(String), ADD COLUMN IF NOT EXISTS `requests` UInt64, ADD COLUMN IF NOT EXISTS `errors` UInt64, ADD COLUMN IF NOT EXISTS `s2xx` UInt64, ADD COLUMN IF NOT EXISTS `s3xx` UInt64, ADD COLUMN IF NOT EXISTS `s4xx` UInt64, ADD COLUMN IF NOT EXISTS `s5xx` UInt64, ADD COLUMN IF NOT EXISTS `total_bytes` UInt64, ADD COLUMN IF NOT EXISTS `sum_latency` Float64, ADD COLUMN IF NOT EXISTS `latency_count` UInt64;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`geo_requests_hourly` (
    `hour` DateTime CODEC(Delta, LZ4),
    `country` LowCardinality(String),
    `country_code` LowCardinality(String),
    `city` String,
    `latitude` Float64,
    `longitude` Float64,
    `request_count` UInt64,
    `error_count` UInt64,
    `total_bytes` UInt64,
    `sum_latency` Float64,
    `avg_latency` Float64 ALIAS if(request_count = 0, 0, sum_latency / request_count)
) ENGINE = SummingMergeTree((request_count, error_count, total_bytes, sum_latency))
PARTITION BY toDate(hour)
ORDER BY (country_code, city, hour)
TTL hour + toIntervalDay(90)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

ALTER TABLE `nginx_analytics`.`geo_requests_hourly` ADD COLUMN IF NOT EXISTS `hour` DateTime CODEC(Delta, LZ4), ADD COLUMN IF NOT EXISTS `country` LowCardinality(String), ADD COLUMN IF NOT EXISTS `country_code` LowCardinality(String), ADD COLUMN IF NOT EXISTS `city` String, ADD COLUMN IF NOT EXISTS `latitude` Float64, ADD COLUMN IF NOT EXISTS `longitude` Float64, ADD COLUMN IF NOT EXISTS `request_count` UInt64, ADD COLUMN IF NOT EXISTS `error_count` UInt64, ADD COLUMN IF NOT EXISTS `total_bytes` UInt64, ADD COLUMN IF NOT EXISTS `sum_latency` Float64, ADD COLUMN IF NOT EXISTS `avg_latency` Float64 ALIAS if(request_count = 0, 0, sum_latency / request_count);

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_logs` (
    `Timestamp` DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    `TraceId` String CODEC(ZSTD(1)),
    `SpanId` String CODEC(ZSTD(1)),
    `TraceFlags` UInt8,
    `SeverityText` LowCardinality(String) CODEC(ZSTD(1)),
    `SeverityNumber` UInt8,
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `Body` String CODEC(ZSTD(1)),
    `ResourceSchemaUrl` LowCardinality(String) CODEC(ZSTD(1)),
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeSchemaUrl` LowCardinality(String) CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` LowCardinality(String) CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `LogAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `EventName` String CODEC(ZSTD(1)),
    `__otel_materialized_k8s.cluster.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.cluster.name'] CODEC(ZSTD(1)),
    `__otel_materialized_k8s.container.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.container.name'] CODEC(ZSTD(1)),
    `__otel_materialized_k8s.deployment.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.deployment.name'] CODEC(ZSTD(1)),
    `__otel_materialized_k8s.namespace.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.namespace.name'] CODEC(ZSTD(1)),
    `__otel_materialized_k8s.node.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.node.name'] CODEC(ZSTD(1)),
    `__otel_materialized_k8s.pod.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.pod.name'] CODEC(ZSTD(1)),
    `__otel_materialized_k8s.pod.uid` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.pod.uid'] CODEC(ZSTD(1)),
    `__otel_materialized_deployment.environment.name` LowCardinality(String) MATERIALIZED ResourceAttributes['deployment.environment.name'] CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(3)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_traces` (
    `Timestamp` DateTime64(9) CODEC(Delta, ZSTD(1)),
    `TraceId` String CODEC(ZSTD(1)),
    `SpanId` String CODEC(ZSTD(1)),
    `ParentSpanId` String CODEC(ZSTD(1)),
    `TraceState` String CODEC(ZSTD(1)),
    `SpanName` LowCardinality(String) CODEC(ZSTD(1)),
    `SpanKind` LowCardinality(String) CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `SpanAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `Duration` UInt64 CODEC(ZSTD(1)),
    `StatusCode` LowCardinality(String) CODEC(ZSTD(1)),
    `StatusMessage` String CODEC(ZSTD(1)),
    `Events` Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Links` Nested (TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
TTL toDateTime(Timestamp) + toIntervalDay(7)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_traces_trace_id_ts` (
    `TraceId` String CODEC(ZSTD(1)),
    `Start` DateTime CODEC(Delta, ZSTD(1)),
    `End` DateTime CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
TTL Start + toIntervalDay(7)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_metrics_gauge` (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `Value` Float64 CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Exemplars` Nested (FilteredAttributes Map(LowCardinality(String), String), TimeUnix DateTime, Value Float64, SpanId String, TraceId String) CODEC(ZSTD(1)),
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_metrics_sum` (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `Value` Float64 CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Exemplars` Nested (FilteredAttributes Map(LowCardinality(String), String), TimeUnix DateTime, Value Float64, SpanId String, TraceId String) CODEC(ZSTD(1)),
    `AggregationTemporality` Int32 CODEC(ZSTD(1)),
    `IsMonotonic` Bool CODEC(Delta, ZSTD(1)),
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_metrics_histogram` (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `Count` UInt64 CODEC(Delta, ZSTD(1)),
    `Sum` Float64 CODEC(ZSTD(1)),
    `BucketCounts` Array(UInt64) CODEC(ZSTD(1)),
    `ExplicitBounds` Array(Float64) CODEC(ZSTD(1)),
    `Exemplars` Nested (FilteredAttributes Map(LowCardinality(String), String), TimeUnix DateTime, Value Float64, SpanId String, TraceId String) CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Min` Float64 CODEC(ZSTD(1)),
    `Max` Float64 CODEC(ZSTD(1)),
    `AggregationTemporality` Int32 CODEC(ZSTD(1)),
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_metrics_exponential_histogram` (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `Count` UInt64 CODEC(Delta, ZSTD(1)),
    `Sum` Float64 CODEC(ZSTD(1)),
    `Scale` Int32 CODEC(ZSTD(1)),
    `ZeroCount` UInt64 CODEC(ZSTD(1)),
    `PositiveOffset` Int32 CODEC(ZSTD(1)),
    `PositiveBucketCounts` Array(UInt64) CODEC(ZSTD(1)),
    `NegativeOffset` Int32 CODEC(ZSTD(1)),
    `NegativeBucketCounts` Array(UInt64) CODEC(ZSTD(1)),
    `Exemplars` Nested (FilteredAttributes Map(LowCardinality(String), String), TimeUnix DateTime, Value Float64, SpanId String, TraceId String) CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    `Min` Float64 CODEC(ZSTD(1)),
    `Max` Float64 CODEC(ZSTD(1)),
    `AggregationTemporality` Int32 CODEC(ZSTD(1)),
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `nginx_analytics`.`otel_metrics_summary` (
    `ResourceAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ResourceSchemaUrl` String CODEC(ZSTD(1)),
    `ScopeName` String CODEC(ZSTD(1)),
    `ScopeVersion` String CODEC(ZSTD(1)),
    `ScopeAttributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ScopeDroppedAttrCount` UInt32 CODEC(ZSTD(1)),
    `ScopeSchemaUrl` String CODEC(ZSTD(1)),
    `ServiceName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricName` LowCardinality(String) CODEC(ZSTD(1)),
    `MetricDescription` String CODEC(ZSTD(1)),
    `MetricUnit` String CODEC(ZSTD(1)),
    `Attributes` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `StartTimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `TimeUnix` DateTime CODEC(Delta, ZSTD(1)),
    `Count` UInt64 CODEC(Delta, ZSTD(1)),
    `Sum` Float64 CODEC(ZSTD(1)),
    `ValueAtQuantiles` Nested (Quantile Float64, Value Float64) CODEC(ZSTD(1)),
    `Flags` UInt32 CODEC(ZSTD(1)),
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS auto_statistics_types = '', merge_selector_base = 50, min_level_for_wide_part = 1, non_replicated_deduplication_window = 10000, string_serialization_version = 'single_stream', ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS `nginx_analytics`.`traffic_5min_mv` TO `nginx_analytics`.`traffic_5min` AS SELECT toStartOfFiveMinutes(timestamp) AS ts, instance_id, count() AS requests, countIf(status >= 400) AS errors,
    countIf(status BETWEEN 200 AND 299) AS s2xx, countIf(status BETWEEN 300 AND 399) AS s3xx,
    countIf(status BETWEEN 400 AND 499) AS s4xx, countIf(status >= 500) AS s5xx,
    sum(body_bytes_sent) AS total_bytes, sum(toFloat64(request_time)) AS sum_latency, count() AS latency_count
FROM `nginx_analytics`.`access_logs` GROUP BY instance_id, ts;

CREATE MATERIALIZED VIEW IF NOT EXISTS `nginx_analytics`.`geo_requests_hourly_mv` TO `nginx_analytics`.`geo_requests_hourly` AS SELECT toStartOfHour(timestamp) AS hour, any(country) AS country, country_code, city,
    any(latitude) AS latitude, any(longitude) AS longitude, count() AS request_count, countIf(status >= 400) AS error_count,
    sum(body_bytes_sent) AS total_bytes, sum(toFloat64(request_time)) AS sum_latency
FROM `nginx_analytics`.`access_logs` WHERE country_code != '' GROUP BY country_code, city, hour;

CREATE MATERIALIZED VIEW IF NOT EXISTS `nginx_analytics`.`otel_traces_trace_id_ts_mv` TO `nginx_analytics`.`otel_traces_trace_id_ts` AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM `nginx_analytics`.`otel_traces` WHERE TraceId != '' GROUP BY TraceId;

CREATE VIEW IF NOT EXISTS `nginx_analytics`.`spans` AS SELECT TraceId AS trace_id, SpanId AS span_id, ParentSpanId AS parent_span_id, toString(SpanName) AS name,
    Timestamp AS start_time, addNanoseconds(Timestamp, Duration) AS end_time,
    CAST(mapConcat(ResourceAttributes, SpanAttributes), 'Map(String, String)') AS attributes,
    CAST(if(ResourceAttributes['avika.agent.id'] != '', ResourceAttributes['avika.agent.id'],
        ResourceAttributes['service.instance.id']), 'LowCardinality(String)') AS instance_id
FROM `nginx_analytics`.`otel_traces`;
