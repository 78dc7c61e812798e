package main

// fleet is the first look: is anything wrong, and where.
func fleet() board {
	return board{
		uid: "avika-fleet", title: "Avika / Fleet", from: "now-6h", agents: someAgents,
		about: "All agents and their traffic. Traffic comes from the five-minute rollup, so that it is cheap over any range.",
		rows: []row{
			{"Now", fleetNow()},
			{"Traffic", fleetTraffic()},
			{"Agents", fleetAgents()},
		},
	}
}

func fleetNow() []panel {
	return []panel{
		{
			kind: number, title: "Agents online", about: "Connected to any gateway.", width: 3, height: 4,
			queries: promql(`max(nginx_gateway_agents_total{status="online"})`, ""),
		},
		{
			kind: number, title: "Agents offline", about: "Known and not connected.", width: 3, height: 4,
			queries: promql(`max(nginx_gateway_agents_total{status="offline"})`, ""), levels: []level{{1, "orange"}},
		},
		{
			kind: number, title: "Flapping", about: "Agents that connected four times or more in ten minutes: runbook AgentsFlapping.",
			width: 3, height: 4, queries: promql(`max(otelcol_extension_agent_registry_agents_flapping)`, ""), levels: []level{{1, "orange"}},
		},
		{
			kind: number, title: "Drifted", about: "Agents whose configuration differs from its baseline: runbook ConfigDrift.",
			width: 3, height: 4, queries: promql(`max(otelcol_extension_agent_registry_agents_drifted)`, ""), levels: []level{{1, "orange"}},
		},
		{
			kind: number, title: "First certificate expires in", about: "Of all NGINX that are online: runbook CertificateExpiring.",
			unit: "s", width: 4, height: 4, below: "red", levels: []level{{7 * day, "orange"}, {14 * day, "green"}},
			queries: promql(`min(otelcol_extension_agent_registry_certificate_expiry_seconds) - time()`, ""),
		},
		{
			kind: number, title: "Requests", about: "Mean of the time range.", unit: "reqps", width: 4, height: 4,
			queries: sql(`SELECT sum(requests) / ($__toTime - $__fromTime) AS requests
FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents),
		},
		{
			kind: number, title: "Delay, p99", about: "From a row's own time until it can be queried, of the last five minutes: runbook RowsLate.",
			unit: "s", width: 4, height: 4, levels: []level{{5, "orange"}, {30, "red"}},
			queries: promql(`histogram_quantile(0.99, sum by (le) (rate(otelcol_exporter_ch_batch_row_delay_seconds_bucket[5m])))`, ""),
		},
	}
}

const day = 86400 // seconds

func fleetTraffic() []panel {
	return []panel{
		{
			kind: areas, title: "Requests by status", about: "Requests a second by class of the status code.", unit: "reqps", width: 12, height: 8, every: "5m",
			queries: sql(`SELECT $__timeInterval(ts) AS time, sum(s2xx) / $__interval_s AS "2xx", sum(s3xx) / $__interval_s AS "3xx",
    sum(s4xx) / $__interval_s AS "4xx", sum(s5xx) / $__interval_s AS "5xx"
FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Share of errors", about: "4xx are clients' errors, 5xx the servers': dashboard Errors.", unit: "percentunit", width: 12, height: 8, every: "5m",
			queries: sql(`SELECT $__timeInterval(ts) AS time, sum(s4xx) / sum(requests) AS "4xx", sum(s5xx) / sum(requests) AS "5xx"
FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Mean time of a request", about: "Dashboard Latency has quantiles.", unit: "s", width: 12, height: 7, every: "5m",
			queries: sql(`SELECT $__timeInterval(ts) AS time, sum(sum_latency) / sum(latency_count) AS mean
FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Bytes sent", about: "Bodies of the answers.", unit: "Bps", width: 12, height: 7, every: "5m",
			queries: sql(`SELECT $__timeInterval(ts) AS time, sum(total_bytes) / $__interval_s AS bytes
FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
	}
}

func fleetAgents() []panel {
	return []panel{
		{
			kind: table, title: "Agents", width: 24, height: 10,
			about: "The agents of the time range. A click on an agent leads to its dashboard and to the fleet page.",
			queries: sql(`SELECT t.instance_id AS agent, requests, errors_share, mean_time, n.age AS newest_sample_age, n.connections AS connections,
    s.cpu AS cpu, s.memory AS memory
FROM (
    SELECT instance_id, sum(requests) / ($__toTime - $__fromTime) AS requests, sum(errors) / sum(traffic_5min.requests) AS errors_share,
        sum(sum_latency) / sum(latency_count) AS mean_time
    FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents + ` GROUP BY instance_id
) AS t
LEFT JOIN (
    SELECT instance_id, toFloat64(now64(3) - max(timestamp)) AS age, argMax(active_connections, timestamp) AS connections
    FROM ${database}.nginx_metrics WHERE $__timeFilter(timestamp) GROUP BY instance_id
) AS n ON n.instance_id = t.instance_id
LEFT JOIN (
    SELECT instance_id, argMax(cpu_usage, timestamp) AS cpu, argMax(memory_usage, timestamp) AS memory
    FROM ${database}.system_metrics WHERE $__timeFilter(timestamp) GROUP BY instance_id
) AS s ON s.instance_id = t.instance_id
ORDER BY requests DESC LIMIT 1000`),
			columns: []column{
				{"agent", "", "agent"},
				{"requests", "reqps", ""},
				{"errors_share", "percentunit", ""},
				{"mean_time", "s", ""},
				{"newest_sample_age", "s", ""},
				{"cpu", "percent", ""},
				{"memory", "percent", ""},
			},
		},
		{
			kind: bars, title: "Age of the newest stored row, by agent", width: 12, height: 9, unit: "s", levels: []level{{10, "orange"}, {60, "red"}},
			about: "The twenty most silent agents. Each sends a sample every second: an old one is offline, held back, or its clock is wrong.",
			queries: sql(`SELECT instance_id AS agent, toFloat64(now64(3) - max(timestamp)) AS age
FROM ${database}.nginx_metrics WHERE $__timeFilter(timestamp) AND ` + chosenAgents + `
GROUP BY instance_id ORDER BY age DESC LIMIT 20`),
		},
		{
			kind: bars, title: "Most server errors, by agent", width: 12, height: 9, unit: "percentunit", levels: []level{{0.01, "orange"}, {0.05, "red"}},
			about: "The twenty agents with the largest share of 5xx.",
			queries: sql(`SELECT instance_id AS agent, sum(s5xx) / sum(requests) AS share
FROM ${database}.traffic_5min WHERE $__timeFilter(ts) AND ` + chosenAgents + `
GROUP BY instance_id ORDER BY share DESC LIMIT 20`),
		},
	}
}

// chosenAgents is the condition that the variable agent makes; all agents are none.
const chosenAgents = `$__conditionalAll(instance_id IN (${agent:singlequote}), $agent)`
