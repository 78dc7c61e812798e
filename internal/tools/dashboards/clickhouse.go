package main

// clickHouse is what the database does with the rows.
func clickHouse() board {
	return board{
		uid: "avika-clickhouse", title: "Avika / ClickHouse", from: "now-1h", agents: noAgents,
		about: "ClickHouse under the gateways' inserts: rates, parts, merges, space. Docs: troubleshooting.md.",
		rows: []row{
			{"Inserts", clickHouseInserts()},
			{"Parts and merges", clickHouseParts()},
			{"The server", clickHouseServer()},
		},
	}
}

func clickHouseInserts() []panel {
	return []panel{
		{
			kind: lines, title: "Rows inserted", about: "Into all tables, those of materialized views too: runbook ClickHouseInsertLag.", unit: "cps", width: 8, height: 8,
			queries: promql(`rate(ClickHouseProfileEvents_InsertedRows[$__rate_interval])`, "{{instance}}"),
		},
		{
			kind: lines, title: "Inserts slowed down or refused", about: "Because of too many parts: runbook ClickHouseRejectsInserts.", unit: "cps", width: 8, height: 8,
			queries: promql(
				`rate(ClickHouseProfileEvents_DelayedInserts[$__rate_interval])`, "delayed {{instance}}",
				`rate(ClickHouseProfileEvents_RejectedInserts[$__rate_interval])`, "rejected {{instance}}",
				`rate(ClickHouseProfileEvents_FailedInsertQuery[$__rate_interval])`, "failed {{instance}}",
			),
		},
		{
			kind: table, title: "Inserts by table", about: "Of the time range, from system.query_log. Below some 1000 rows an insert, raise CH_FLUSH_INTERVAL_MS.", width: 8, height: 8,
			queries: sql(`SELECT arrayJoin(tables) AS name, count() AS inserts, sum(written_rows) AS rows, round(avg(written_rows)) AS rows_per_insert,
    quantile(0.99)(query_duration_ms) / 1000 AS p99
FROM system.query_log
WHERE $__timeFilter(event_time) AND type = 'QueryFinish' AND query_kind = 'Insert' AND has(databases, '${database}')
GROUP BY name ORDER BY rows DESC`),
			columns: []column{{"p99", "s", ""}},
		},
	}
}

func clickHouseParts() []panel {
	return []panel{
		{
			kind: lines, title: "Parts of the fullest partition", about: "Above 300 merges do not keep up: runbook TooManyParts.", width: 8, height: 8,
			queries: promql(`ClickHouseAsyncMetrics_MaxPartCountForPartition`, "{{instance}}"),
		},
		{
			kind: lines, title: "New parts and merges", about: "Parts a second, from system.part_log.", unit: "cps", width: 8, height: 8, every: "10s",
			queries: sql(`SELECT $__timeInterval(event_time) AS time, countIf(event_type = 'NewPart') / $__interval_s AS new_parts,
    countIf(event_type = 'MergeParts') / $__interval_s AS merges
FROM system.part_log WHERE $__timeFilter(event_time) AND database = '${database}' GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Rows rewritten by merges", about: "And merges that run.", unit: "cps", width: 8, height: 8,
			queries: promql(`rate(ClickHouseProfileEvents_MergedRows[$__rate_interval])`, "rows {{instance}}", `ClickHouseMetrics_Merge`, "running {{instance}}"),
		},
		{
			kind: table, title: "Tables", about: "Space, and how well each table compresses.", width: 24, height: 9,
			queries: sql(`SELECT table, sum(p.rows) AS total_rows, count() AS parts, max(parts_in_partition) AS fullest_partition, sum(bytes_on_disk) AS bytes,
    sum(data_uncompressed_bytes) / sum(data_compressed_bytes) AS ratio, sum(bytes_on_disk) / sum(p.rows) AS bytes_per_row, min(min_time) AS oldest
FROM (
    SELECT *, count() OVER (PARTITION BY table, partition_id) AS parts_in_partition FROM system.parts WHERE active AND database = '${database}'
) AS p GROUP BY table ORDER BY bytes DESC`),
			columns: []column{{"bytes", "bytes", ""}, {"bytes_per_row", "bytes", ""}},
		},
	}
}

func clickHouseServer() []panel {
	return []panel{
		{
			kind: lines, title: "Connections and queries", about: "A gateway holds up to CH_MAX_OPEN_CONNS connections.", width: 8, height: 8,
			queries: promql(`ClickHouseMetrics_TCPConnection`, "connections {{instance}}", `ClickHouseMetrics_Query`, "queries {{instance}}"),
		},
		{
			kind: lines, title: "Memory", about: "That the server accounts for.", unit: "bytes", width: 8, height: 8,
			queries: promql(`ClickHouseMetrics_MemoryTracking`, "{{instance}}"),
		},
		{
			kind: lines, title: "Space left", about: "Share of the data disk: runbook ClickHouseDiskFull.", unit: "percentunit", width: 8, height: 8, max: 1,
			queries: promql(`ClickHouseAsyncMetrics_DiskAvailable_default / ClickHouseAsyncMetrics_DiskTotal_default`, "{{instance}}"),
		},
		{
			kind: lines, title: "Operations that replicas are behind", about: "Only with replicated tables: runbook ReplicaBehind.", width: 8, height: 8,
			queries: promql(`ClickHouseAsyncMetrics_ReplicasMaxQueueSize`, "{{instance}}"),
		},
		{
			kind: table, title: "Errors", about: "Queries that failed, from system.query_log.", width: 16, height: 8,
			queries: sql(`SELECT errorCodeToName(exception_code) AS error, exception_code AS code, query_kind, count() AS queries, max(event_time) AS latest,
    any(left(exception, 300)) AS example
FROM system.query_log
WHERE $__timeFilter(event_time) AND type IN ('ExceptionBeforeStart', 'ExceptionWhileProcessing')
GROUP BY error, code, query_kind ORDER BY queries DESC LIMIT 50`),
		},
	}
}
