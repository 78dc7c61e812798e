package main

// gateway is what the gateways themselves do.
func gateway() board {
	return board{
		uid: "avika-gateway", title: "Avika / Gateways", from: "now-1h", agents: noAgents,
		about: "The gateways from the inside: streams, buffers, inserts, the process. docs/metrics.md explains each metric.",
		rows: []row{
			{"Throughput", gatewayThroughput()},
			{"On the way to ClickHouse", gatewayRows()},
			{"Refused and lost", gatewayFailures()},
			{"Registry", gatewayRegistry()},
			{"Kafka, where it is in between", gatewayKafka()},
			{"Process", gatewayProcess()},
			{"As the gateways wrote it to ClickHouse", gatewayTable()},
		},
	}
}

func gatewayThroughput() []panel {
	return []panel{
		{
			kind: areas, title: "Messages of agents", about: "By what they carry.", unit: "cps", width: 8, height: 8,
			queries: promql(`sum by (type) (rate(nginx_gateway_messages_total[$__rate_interval]))`, "{{type}}"),
		},
		{
			kind: lines, title: "Open streams", about: "By gateway. Streams stay where they are: after a rollout they may be uneven.", width: 8, height: 8,
			queries: promql(`otelcol_receiver_avika_streams`, "{{instance}}"),
		},
		{
			kind: areas, title: "Rows stored", about: "By table.", unit: "cps", width: 8, height: 8,
			queries: promql(`sum by (table) (rate(otelcol_exporter_ch_batch_rows_inserted_total[$__rate_interval]))`, "{{table}}"),
		},
	}
}

func gatewayRows() []panel {
	return []panel{
		{
			kind: lines, title: "Fill of the buffers", about: "Rows that wait, as a share of what may wait. When it is full, senders are held back: runbook QueueFilling.",
			unit: "percentunit", width: 8, height: 8, max: 1, levels: nil,
			queries: promql(`sum by (instance, signal) (otelcol_exporter_ch_batch_buffer_rows) / sum by (instance, signal) (otelcol_exporter_ch_batch_buffer_capacity_rows)`,
				"{{signal}} {{instance}}"),
		},
		{
			kind: lines, title: "Age of the oldest row that waits", about: "From its arrival: runbook RowsWaitTooLong.", unit: "s", width: 8, height: 8,
			queries: promql(`otelcol_exporter_ch_batch_oldest_row_age_seconds`, "{{signal}} {{instance}}"),
		},
		{
			kind: lines, title: "Delay from a row's own time until it is stored", about: "Of one row in 128: runbook RowsLate.", unit: "s", width: 8, height: 8,
			queries: promql(
				`histogram_quantile(0.5, sum by (le) (rate(otelcol_exporter_ch_batch_row_delay_seconds_bucket[$__rate_interval])))`, "p50",
				`histogram_quantile(0.99, sum by (le) (rate(otelcol_exporter_ch_batch_row_delay_seconds_bucket[$__rate_interval])))`, "p99",
			),
		},
		{
			kind: lines, title: "Time of an insert", about: "Half and 99 % of the inserts, and 99 % of the writes to the queue on disk, took at most this long.", unit: "s", width: 8, height: 8,
			queries: promql(
				`histogram_quantile(0.5, sum by (le, table) (rate(otelcol_exporter_ch_batch_insert_duration_seconds_bucket[$__rate_interval])))`, "p50 {{table}}",
				`histogram_quantile(0.99, sum by (le, table) (rate(otelcol_exporter_ch_batch_insert_duration_seconds_bucket[$__rate_interval])))`, "p99 {{table}}",
				`histogram_quantile(0.99, sum by (le) (rate(otelcol_exporter_ch_batch_storage_write_duration_seconds_bucket[$__rate_interval])))`, "p99 queue on disk",
			),
		},
		{
			kind: lines, title: "Rows of an insert", about: "Mean. Small inserts make many parts: raise CH_FLUSH_INTERVAL_MS.", width: 8, height: 8,
			queries: promql(`sum by (table) (rate(otelcol_exporter_ch_batch_insert_rows_sum[$__rate_interval])) / sum by (table) (rate(otelcol_exporter_ch_batch_insert_rows_count[$__rate_interval]))`,
				"{{table}}"),
		},
		{
			kind: lines, title: "Age of the newest stored row", about: "By table, by the row's own time. It grows when nothing is stored.", unit: "s", width: 8, height: 8,
			queries: promql(`min by (table) (otelcol_exporter_ch_batch_newest_row_age_seconds)`, "{{table}}"),
		},
	}
}

func gatewayFailures() []panel {
	return []panel{
		{
			kind: lines, title: "Inserts that failed, by code", about: "ClickHouse's error codes: runbook InsertsFail.", unit: "cps", width: 8, height: 8,
			queries: promql(`sum by (code) (rate(otelcol_exporter_ch_batch_insert_failures_total[$__rate_interval]))`, "{{code}}"),
		},
		{
			kind: lines, title: "Streams refused, by reason", about: "Runbook AgentsRefused.", unit: "cps", width: 8, height: 8,
			queries: promql(`sum by (reason) (rate(otelcol_receiver_avika_streams_refused_total[$__rate_interval]))`, "{{reason}}"),
		},
		{
			kind: lines, title: "Rows refused, dead-lettered, lost", about: "Refused rows stay with their sender. Runbooks RowsRefused, DeadLetters, RowsLost.", unit: "cps", width: 8, height: 8,
			queries: promql(
				`sum(rate(otelcol_exporter_ch_batch_rows_refused_total[$__rate_interval]))`, "refused",
				`sum(rate(otelcol_exporter_ch_batch_rows_dead_lettered_total[$__rate_interval]))`, "dead-lettered",
				`sum(rate(otelcol_exporter_ch_batch_rows_lost_total[$__rate_interval]))`, "lost",
			),
		},
	}
}

func gatewayRegistry() []panel {
	return []panel{
		{
			kind: lines, title: "Database answers", about: "1: yes. Runbook RegistryDatabaseAway.", width: 8, height: 7, max: 1,
			queries: promql(`otelcol_extension_agent_registry_database_up`, "{{instance}}"),
		},
		{
			kind: lines, title: "Operations of the database", about: "Failed ones: runbook RegistryDatabaseAway.", unit: "ops", width: 8, height: 7,
			queries: promql(`sum by (operation, outcome) (rate(nginx_gateway_db_operations_total[$__rate_interval]))`, "{{operation}} {{outcome}}"),
		},
		{
			kind: lines, title: "Mean time of an operation", about: "Of the registry's database.", unit: "ms", width: 8, height: 7,
			queries: promql(`nginx_gateway_db_latency_avg_ms`, "{{instance}}"),
		},
	}
}

func gatewayKafka() []panel {
	return []panel{
		{
			kind: lines, title: "Records not written yet", about: "By topic, as the brokers know it: runbook KafkaLag.", width: 8, height: 7,
			queries: promql(`sum by (topic) (max by (topic, partition) (otelcol_extension_kafka_lag_records))`, "{{topic}}"),
		},
		{
			kind: lines, title: "Messages", about: "Written by the gateways that ingest, read by those that write.", unit: "cps", width: 8, height: 7,
			queries: promql(
				`sum by (topic, outcome) (rate(otelcol_kafka_exporter_records_total[$__rate_interval]))`, "written to {{topic}}, {{outcome}}",
				`sum by (topic) (rate(otelcol_kafka_receiver_records_total[$__rate_interval]))`, "read from {{topic}}",
			),
		},
		{
			kind: lines, title: "Fill of the exporters' queues", about: "Of exporters other than ch_batch: runbook ExporterQueueFilling.",
			unit: "percentunit", width: 8, height: 7, max: 1,
			queries: promql(`otelcol_exporter_queue_size / otelcol_exporter_queue_capacity`, "{{exporter}} {{data_type}} {{instance}}"),
		},
	}
}

func gatewayProcess() []panel {
	return []panel{
		{
			kind: lines, title: "CPU", about: "Cores in use.", width: 6, height: 7,
			queries: promql(`rate(otelcol_process_cpu_seconds_total[$__rate_interval])`, "{{instance}}"),
		},
		{
			kind: lines, title: "Memory", about: "Heap in use, and resident memory: runbook GatewayHighMemory.", unit: "bytes", width: 6, height: 7,
			queries: promql(`nginx_gateway_memory_alloc_bytes`, "heap {{instance}}", `otelcol_process_memory_rss_bytes`, "resident {{instance}}"),
		},
		{
			kind: lines, title: "Goroutines", about: "Some 5 for each stream; a number that only grows is a leak: runbook GoroutineLeak.", width: 6, height: 7,
			queries: promql(`nginx_gateway_goroutines`, "{{instance}}"),
		},
		{
			kind: lines, title: "Pauses of garbage collection", about: "Share of the time.", unit: "percentunit", width: 6, height: 7,
			queries: promql(`rate(nginx_gateway_gc_pause_total_ns[$__rate_interval]) / 1e9`, "{{instance}}"),
		},
	}
}

func gatewayTable() []panel {
	return []panel{
		{
			kind: lines, title: "Rows a second", about: "Table gateway_metrics, for those who have no Prometheus.", unit: "cps", width: 6, height: 7, every: "10s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, toString(gateway_id) AS gateway, avg(eps) AS rows
FROM ${database}.gateway_metrics WHERE $__timeFilter(timestamp) GROUP BY time, gateway ORDER BY time`),
		},
		{
			kind: lines, title: "CPU", about: "Of a core.", unit: "percent", width: 6, height: 7, every: "10s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, toString(gateway_id) AS gateway, avg(cpu_usage) AS cpu
FROM ${database}.gateway_metrics WHERE $__timeFilter(timestamp) GROUP BY time, gateway ORDER BY time`),
		},
		{
			kind: lines, title: "Memory", about: "Resident.", unit: "mbytes", width: 6, height: 7, every: "10s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, toString(gateway_id) AS gateway, avg(memory_mb) AS memory
FROM ${database}.gateway_metrics WHERE $__timeFilter(timestamp) GROUP BY time, gateway ORDER BY time`),
		},
		{
			kind: lines, title: "Time of an insert", about: "Mean.", unit: "ms", width: 6, height: 7, every: "10s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, toString(gateway_id) AS gateway, avg(db_latency_ms) AS latency
FROM ${database}.gateway_metrics WHERE $__timeFilter(timestamp) GROUP BY time, gateway ORDER BY time`),
		},
	}
}
