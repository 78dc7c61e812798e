package schema

// Days that rows of NGINX tables stay.
const (
	logDays    = 7
	metricDays = 30
	geoDays    = 90
)

const (
	low       = "LowCardinality(String)"
	labelType = "Map(String, String)"
	// Times of one agent grow evenly, so that differences are small; LZ4 costs ClickHouse less CPU than ZSTD.
	deltaCodec   = "CODEC(Delta, LZ4)"
	counterCodec = "CODEC(DoubleDelta, LZ4)"
	zstdCodec    = "CODEC(ZSTD(1))"
)

var accessLogs = Table{
	Name: "access_logs", Engine: "MergeTree", Time: "timestamp", OrderBy: "instance_id, timestamp", TTLDays: logDays, Own: true,
	Columns: []Column{
		{"timestamp", "DateTime64(3)", deltaCodec},
		{"instance_id", low, ""},
		{"remote_addr", "String", ""},
		{"request_method", low, ""},
		{"request_uri", "String", ""},
		{"status", "UInt16", ""},
		{"body_bytes_sent", "UInt64", ""},
		{"request_time", "Float32", ""},
		{"request_id", "String", ""},
		{"upstream_addr", "String", ""},
		{"upstream_status", low, ""},
		{"upstream_connect_time", "Float32", ""},
		{"upstream_header_time", "Float32", ""},
		{"upstream_response_time", "Float32", ""},
		{"user_agent", "String", ""},
		{"referer", "String", ""},
		{"labels", labelType, ""},
		{"client_ip", "String", ""},
		{"country", "String", ""},
		{"country_code", "String", ""},
		{"city", "String", ""},
		{"region", "String", ""},
		{"latitude", "Float64", ""},
		{"longitude", "Float64", ""},
		{"timezone", "String", ""},
		{"isp", "String", ""},
		{"is_bot", "UInt8", ""},
		{"browser_family", "String", ""},
		{"browser_version", "String", ""},
		{"os_family", "String", ""},
		{"os_version", "String", ""},
		{"device_type", "String", ""},
		{"trace_id", "String", ""},
		{"span_id", "String", ""},
		{"host", low, ""},
		{"scheme", low, ""},
		{"protocol", low, ""},
		{"cache_status", low, ""},
		{"x_forwarded_for", "String", ""},
		{"raw", "String", zstdCodec},
	},
}

var errorLogs = Table{
	Name: "error_logs", Engine: "MergeTree", Time: "timestamp", OrderBy: "instance_id, timestamp", TTLDays: logDays, Own: true,
	Columns: []Column{
		{"timestamp", "DateTime64(3)", deltaCodec},
		{"instance_id", low, ""},
		{"level", low, ""},
		{"pid", "UInt32", ""},
		{"tid", "UInt32", ""},
		{"connection", "UInt64", ""},
		{"message", "String", zstdCodec},
		{"client", "String", ""},
		{"server", "String", ""},
		{"request", "String", zstdCodec},
		{"upstream", "String", ""},
		{"host", "String", ""},
		{"raw", "String", zstdCodec},
		{"labels", labelType, ""},
	},
}

var nginxMetrics = Table{
	Name: "nginx_metrics", Engine: "MergeTree", Time: "timestamp", OrderBy: "instance_id, timestamp", TTLDays: metricDays, Own: true,
	Columns: []Column{
		{"timestamp", "DateTime64(3)", deltaCodec},
		{"instance_id", low, ""},
		{"active_connections", "UInt32", ""},
		{"accepted_connections", "UInt64", counterCodec},
		{"handled_connections", "UInt64", counterCodec},
		{"total_requests", "UInt64", counterCodec},
		{"reading", "UInt32", ""},
		{"writing", "UInt32", ""},
		{"waiting", "UInt32", ""},
		{"requests_per_second", "Float64", ""},
		{"status_2xx", "UInt64", counterCodec},
		{"status_3xx", "UInt64", counterCodec},
		{"status_4xx", "UInt64", counterCodec},
		{"status_5xx", "UInt64", counterCodec},
		{"bytes_in", "UInt64", counterCodec},
		{"bytes_out", "UInt64", counterCodec},
		{"labels", labelType, ""},
	},
}

var systemMetrics = Table{
	Name: "system_metrics", Engine: "MergeTree", Time: "timestamp", OrderBy: "instance_id, timestamp", TTLDays: metricDays, Own: true,
	Columns: []Column{
		{"timestamp", "DateTime64(3)", deltaCodec},
		{"instance_id", low, ""},
		{"cpu_usage", "Float32", "CODEC(Gorilla, LZ4)"},
		{"memory_usage", "Float32", "CODEC(Gorilla, LZ4)"},
		{"memory_total", "UInt64", deltaCodec},
		{"memory_used", "UInt64", deltaCodec},
		{"network_rx_bytes", "UInt64", counterCodec},
		{"network_tx_bytes", "UInt64", counterCodec},
		{"network_rx_rate", "Float32", ""},
		{"network_tx_rate", "Float32", ""},
		{"cpu_user", "Float32", "CODEC(Gorilla, LZ4)"},
		{"cpu_system", "Float32", "CODEC(Gorilla, LZ4)"},
		{"cpu_iowait", "Float32", "CODEC(Gorilla, LZ4)"},
		{"labels", labelType, ""},
	},
}

var gatewayMetrics = Table{
	Name: "gateway_metrics", Engine: "MergeTree", Time: "timestamp", OrderBy: "gateway_id, timestamp", TTLDays: metricDays, Own: true,
	Columns: []Column{
		{"timestamp", "DateTime64(3)", deltaCodec},
		{"gateway_id", low, ""},
		{"eps", "Float32", ""},
		{"active_connections", "UInt32", ""},
		{"cpu_usage", "Float32", ""},
		{"memory_mb", "Float32", ""},
		{"goroutines", "UInt32", ""},
		{"db_latency_ms", "Float32", ""},
		{"labels", labelType, ""},
	},
}

var traffic5Min = Table{
	Name: "traffic_5min", Time: "ts", OrderBy: "instance_id, ts", TTLDays: metricDays, Own: true,
	Engine: "SummingMergeTree",
	Columns: []Column{
		{"ts", "DateTime", deltaCodec},
		{"instance_id", low, ""},
		{"requests", "UInt64", ""},
		{"errors", "UInt64", ""},
		{"s2xx", "UInt64", ""},
		{"s3xx", "UInt64", ""},
		{"s4xx", "UInt64", ""},
		{"s5xx", "UInt64", ""},
		{"total_bytes", "UInt64", ""},
		{"sum_latency", "Float64", ""},
		{"latency_count", "UInt64", ""},
	},
}

var traffic5MinView = View{
	Name: "traffic_5min_mv", To: "traffic_5min", From: "access_logs",
	Select: `SELECT toStartOfFiveMinutes(timestamp) AS ts, instance_id, count() AS requests, countIf(status >= 400) AS errors,
    countIf(status BETWEEN 200 AND 299) AS s2xx, countIf(status BETWEEN 300 AND 399) AS s3xx,
    countIf(status BETWEEN 400 AND 499) AS s4xx, countIf(status >= 500) AS s5xx,
    sum(body_bytes_sent) AS total_bytes, sum(toFloat64(request_time)) AS sum_latency, count() AS latency_count
FROM {from} GROUP BY instance_id, ts`,
}

// Sums only: the position is any of those seen for the city, the mean is computed when it is read.
var geoHourly = Table{
	Name: "geo_requests_hourly", Time: "hour", OrderBy: "country_code, city, hour", TTLDays: geoDays, Own: true,
	Engine: "SummingMergeTree((request_count, error_count, total_bytes, sum_latency))",
	Columns: []Column{
		{"hour", "DateTime", deltaCodec},
		{"country", low, ""},
		{"country_code", low, ""},
		{"city", "String", ""},
		{"latitude", "Float64", ""},
		{"longitude", "Float64", ""},
		{"request_count", "UInt64", ""},
		{"error_count", "UInt64", ""},
		{"total_bytes", "UInt64", ""},
		{"sum_latency", "Float64", ""},
		{"avg_latency", "Float64", "ALIAS if(request_count = 0, 0, sum_latency / request_count)"},
	},
}

var geoHourlyView = View{
	Name: "geo_requests_hourly_mv", To: "geo_requests_hourly", From: "access_logs",
	Select: `SELECT toStartOfHour(timestamp) AS hour, any(country) AS country, country_code, city,
    any(latitude) AS latitude, any(longitude) AS longitude, count() AS request_count, countIf(status >= 400) AS error_count,
    sum(body_bytes_sent) AS total_bytes, sum(toFloat64(request_time)) AS sum_latency
FROM {from} WHERE country_code != '' GROUP BY country_code, city, hour`,
}

var spansView = View{
	Name: "spans", From: "otel_traces",
	Select: `SELECT TraceId AS trace_id, SpanId AS span_id, ParentSpanId AS parent_span_id, toString(SpanName) AS name,
    Timestamp AS start_time, addNanoseconds(Timestamp, Duration) AS end_time,
    CAST(mapConcat(ResourceAttributes, SpanAttributes), 'Map(String, String)') AS attributes,
    CAST(if(ResourceAttributes['avika.agent.id'] != '', ResourceAttributes['avika.agent.id'],
        ResourceAttributes['service.instance.id']), 'LowCardinality(String)') AS instance_id
FROM {from}`,
}
