package schema

// The tables of contrib's ClickHouse exporter: names, types and sort keys are its own, so that what reads them works
// unchanged. Indexes are fewer: each one costs ClickHouse CPU at every insert (see docs/adr/024).

const (
	lowMap    = "Map(LowCardinality(String), String)"
	timeCodec = "CODEC(Delta(8), ZSTD(1))"
)

// bloom is an index on values that a search looks up exactly.
func bloom(name, expr string) string {
	return name + " " + expr + " TYPE bloom_filter(0.001) GRANULARITY 1"
}

var otelLogs = Table{
	Name: "otel_logs", Engine: "MergeTree", Time: "Timestamp", OrderBy: "toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp",
	Columns: append([]Column{
		{"Timestamp", "DateTime64(9)", timeCodec},
		{"TraceId", "String", zstdCodec},
		{"SpanId", "String", zstdCodec},
		{"TraceFlags", "UInt8", ""},
		{"SeverityText", low, zstdCodec},
		{"SeverityNumber", "UInt8", ""},
		{"ServiceName", low, zstdCodec},
		{"Body", "String", zstdCodec},
		{"ResourceSchemaUrl", low, zstdCodec},
		{"ResourceAttributes", lowMap, zstdCodec},
		{"ScopeSchemaUrl", low, zstdCodec},
		{"ScopeName", "String", zstdCodec},
		{"ScopeVersion", low, zstdCodec},
		{"ScopeAttributes", lowMap, zstdCodec},
		{"LogAttributes", lowMap, zstdCodec},
		{"EventName", "String", zstdCodec},
	}, resourceColumns("k8s.cluster.name", "k8s.container.name", "k8s.deployment.name", "k8s.namespace.name", "k8s.node.name",
		"k8s.pod.name", "k8s.pod.uid", "deployment.environment.name")...),
	Indexes: []string{bloom("idx_trace_id", "TraceId")},
}

// resourceColumns are computed from the resource's attributes.
func resourceColumns(keys ...string) []Column {
	out := make([]Column, len(keys))
	for i, key := range keys {
		out[i] = Column{"__otel_materialized_" + key, low, "MATERIALIZED ResourceAttributes[" + QuoteString(key) + "] " + zstdCodec}
	}
	return out
}

// traceDays is how long the traces' tables keep rows where they are made here: as long as the access logs that most spans are made of.
const traceDays = logDays

var otelTraces = Table{
	Name: "otel_traces", Engine: "MergeTree", Time: "Timestamp", OrderBy: "ServiceName, SpanName, toDateTime(Timestamp)", TTLDays: traceDays,
	Columns: []Column{
		{"Timestamp", "DateTime64(9)", "CODEC(Delta, ZSTD(1))"},
		{"TraceId", "String", zstdCodec},
		{"SpanId", "String", zstdCodec},
		{"ParentSpanId", "String", zstdCodec},
		{"TraceState", "String", zstdCodec},
		{"SpanName", low, zstdCodec},
		{"SpanKind", low, zstdCodec},
		{"ServiceName", low, zstdCodec},
		{"ResourceAttributes", lowMap, zstdCodec},
		{"ScopeName", "String", zstdCodec},
		{"ScopeVersion", "String", zstdCodec},
		{"SpanAttributes", lowMap, zstdCodec},
		{"Duration", "UInt64", zstdCodec},
		{"StatusCode", low, zstdCodec},
		{"StatusMessage", "String", zstdCodec},
		{"Events", "Nested (Timestamp DateTime64(9), Name " + low + ", Attributes " + lowMap + ")", zstdCodec},
		{"Links", "Nested (TraceId String, SpanId String, TraceState String, Attributes " + lowMap + ")", zstdCodec},
	},
	Indexes: []string{bloom("idx_trace_id", "TraceId"), "idx_duration Duration TYPE minmax GRANULARITY 1"},
}

var otelTraceIDs = Table{
	Name: "otel_traces_trace_id_ts", Engine: "MergeTree", Time: "Start", OrderBy: "TraceId, Start", TTLDays: traceDays,
	Columns: []Column{
		{"TraceId", "String", zstdCodec},
		{"Start", "DateTime", "CODEC(Delta, ZSTD(1))"},
		{"End", "DateTime", "CODEC(Delta, ZSTD(1))"},
	},
	Indexes: []string{"idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1"},
}

var otelTraceIDsView = View{
	Name: "otel_traces_trace_id_ts_mv", To: "otel_traces_trace_id_ts", From: "otel_traces",
	Select: "SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM {from} WHERE TraceId != '' GROUP BY TraceId",
}

// metricTable has the columns that all metrics have before those of its kind.
func metricTable(name string, columns ...Column) Table {
	return Table{
		Name: name, Engine: "MergeTree", Time: "TimeUnix",
		OrderBy: "ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix",
		Columns: append([]Column{
			{"ResourceAttributes", lowMap, zstdCodec},
			{"ResourceSchemaUrl", "String", zstdCodec},
			{"ScopeName", "String", zstdCodec},
			{"ScopeVersion", "String", zstdCodec},
			{"ScopeAttributes", lowMap, zstdCodec},
			{"ScopeDroppedAttrCount", "UInt32", zstdCodec},
			{"ScopeSchemaUrl", "String", zstdCodec},
			{"ServiceName", low, zstdCodec},
			{"MetricName", low, zstdCodec},
			{"MetricDescription", "String", zstdCodec},
			{"MetricUnit", "String", zstdCodec},
			{"Attributes", lowMap, zstdCodec},
			{"StartTimeUnix", "DateTime", "CODEC(Delta, ZSTD(1))"},
			{"TimeUnix", "DateTime", "CODEC(Delta, ZSTD(1))"},
		}, columns...),
		Indexes: []string{"idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1"},
	}
}

var (
	countColumn       = Column{"Count", "UInt64", "CODEC(Delta, ZSTD(1))"}
	flagsColumn       = Column{"Flags", "UInt32", zstdCodec}
	temporalityColumn = Column{"AggregationTemporality", "Int32", zstdCodec}
	exemplarsColumn   = Column{
		"Exemplars", "Nested (FilteredAttributes " + lowMap +
			", TimeUnix DateTime, Value Float64, SpanId String, TraceId String)", zstdCodec,
	}
)

func floatColumn(name string) Column   { return Column{name, "Float64", zstdCodec} }
func intColumn(name string) Column     { return Column{name, "Int32", zstdCodec} }
func bucketsColumn(name string) Column { return Column{name, "Array(UInt64)", zstdCodec} }

var otelMetrics = []Table{
	metricTable("otel_metrics_gauge", floatColumn("Value"), flagsColumn, exemplarsColumn),
	metricTable("otel_metrics_sum", floatColumn("Value"), flagsColumn, exemplarsColumn, temporalityColumn,
		Column{"IsMonotonic", "Bool", "CODEC(Delta, ZSTD(1))"}),
	metricTable("otel_metrics_histogram", countColumn, floatColumn("Sum"), bucketsColumn("BucketCounts"),
		Column{"ExplicitBounds", "Array(Float64)", zstdCodec}, exemplarsColumn, flagsColumn, floatColumn("Min"), floatColumn("Max"),
		temporalityColumn),
	metricTable("otel_metrics_exponential_histogram", countColumn, floatColumn("Sum"), intColumn("Scale"),
		Column{"ZeroCount", "UInt64", zstdCodec}, intColumn("PositiveOffset"), bucketsColumn("PositiveBucketCounts"),
		intColumn("NegativeOffset"), bucketsColumn("NegativeBucketCounts"), exemplarsColumn, flagsColumn, floatColumn("Min"),
		floatColumn("Max"), temporalityColumn),
	metricTable("otel_metrics_summary", countColumn, floatColumn("Sum"),
		Column{"ValueAtQuantiles", "Nested (Quantile Float64, Value Float64)", zstdCodec}, flagsColumn),
}
