package main

// agent is one NGINX: its traffic, its machine, its latest errors.
func agent() board {
	return board{
		uid: "avika-agent", title: "Avika / Agent", from: "now-1h", agents: oneAgent,
		about: "One agent and its NGINX.",
		rows: []row{
			{"Now", agentNow()},
			{"Requests", agentRequests()},
			{"NGINX and its machine", agentMachine()},
			{"Latest errors", agentErrors()},
		},
	}
}

// thisAgent is the condition of the one agent.
const thisAgent = `instance_id = ${agent:singlequote}`

func agentNow() []panel {
	return []panel{
		{
			kind: number, title: "Age of the newest sample", unit: "s", width: 4, height: 4, levels: []level{{10, "orange"}, {60, "red"}},
			about: "The agent sends one every second.",
			queries: sql(`SELECT toFloat64(now64(3) - max(timestamp)) AS age
FROM ${database}.nginx_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent),
		},
		{
			kind: number, title: "Connections", about: "Open now.", width: 4, height: 4,
			queries: sql(`SELECT argMax(active_connections, timestamp) AS connections
FROM ${database}.nginx_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent),
		},
		{
			kind: number, title: "Requests", about: "Mean of the time range.", unit: "reqps", width: 4, height: 4,
			queries: sql(`SELECT count() / ($__toTime - $__fromTime) AS requests
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + thisAgent),
		},
		{
			kind: number, title: "Server errors", about: "Share of 5xx.", unit: "percentunit", width: 4, height: 4, levels: []level{{0.01, "orange"}, {0.05, "red"}},
			queries: sql(`SELECT countIf(status >= 500) / count() AS share
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + thisAgent),
		},
		{
			kind: number, title: "CPU", about: "Of the agent's machine or container.", unit: "percent", width: 4, height: 4, levels: []level{{70, "orange"}, {90, "red"}},
			queries: sql(`SELECT argMax(cpu_usage, timestamp) AS cpu
FROM ${database}.system_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent),
		},
		{
			kind: number, title: "Memory", about: "Of the agent's machine or container.", unit: "percent", width: 4, height: 4, levels: []level{{80, "orange"}, {95, "red"}},
			queries: sql(`SELECT argMax(memory_usage, timestamp) AS memory
FROM ${database}.system_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent),
		},
	}
}

func agentRequests() []panel {
	return []panel{
		{
			kind: areas, title: "Requests by status", about: "Requests a second by class of the status code.", unit: "reqps", width: 12, height: 8, every: "5s",
			queries: sql(requestsByClass(thisAgent)),
		},
		{
			kind: lines, title: "Time of a request", about: "Half, 95 % and 99 % of the requests took at most this long.", unit: "s", width: 12, height: 8, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, quantile(0.5)(request_time) AS p50, quantile(0.95)(request_time) AS p95,
    quantile(0.99)(request_time) AS p99
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Time of the upstreams, p95", about: "By the upstream that answered; the ten with most requests.", unit: "s", width: 12, height: 8, every: "10s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, upstream_addr AS upstream, quantile(0.95)(upstream_response_time) AS p95
FROM ${database}.access_logs
WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` AND upstream_addr IN (
    SELECT upstream_addr FROM ${database}.access_logs
    WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` AND upstream_addr != '' GROUP BY upstream_addr ORDER BY count() DESC LIMIT 10)
GROUP BY time, upstream ORDER BY time`),
		},
		{
			kind: table, title: "Most requested", about: "Paths without the query string.", width: 12, height: 8,
			queries: sql(`SELECT path(request_uri) AS path, count() AS requests, countIf(status >= 400) / count() AS errors_share,
    quantile(0.95)(request_time) AS p95, sum(body_bytes_sent) AS bytes
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` GROUP BY path ORDER BY requests DESC LIMIT 50`),
			columns: []column{{"errors_share", "percentunit", ""}, {"p95", "s", ""}, {"bytes", "bytes", ""}},
		},
	}
}

func agentMachine() []panel {
	return []panel{
		{
			kind: lines, title: "Connections", about: "What NGINX does with its connections. Many waiting ones are idle keep-alives.", width: 12, height: 7, every: "1s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, avg(active_connections) AS active, avg(reading) AS reading, avg(writing) AS writing,
    avg(waiting) AS waiting
FROM ${database}.nginx_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: areas, title: "CPU", about: "iowait is time spent on waiting for disks.", unit: "percent", width: 12, height: 7, every: "1s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, avg(cpu_user) AS user, avg(cpu_system) AS system, avg(cpu_iowait) AS iowait
FROM ${database}.system_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Memory", about: "Of the machine or container.", unit: "bytes", width: 12, height: 7, every: "1s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, avg(memory_used) AS used, max(memory_total) AS total
FROM ${database}.system_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: lines, title: "Network", about: "Of the machine or container.", unit: "Bps", width: 12, height: 7, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, avg(network_rx_rate) AS received, avg(network_tx_rate) AS sent
FROM ${database}.system_metrics WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` GROUP BY time ORDER BY time`),
		},
	}
}

func agentErrors() []panel {
	return []panel{
		{
			kind: table, title: "Requests that failed", about: "The latest with 4xx or 5xx.", width: 12, height: 9,
			queries: sql(`SELECT timestamp, status, request_method AS method, request_uri AS uri, request_time AS time_taken, upstream_addr AS upstream,
    upstream_status, remote_addr AS client, request_id
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` AND status >= 400 ORDER BY timestamp DESC LIMIT 100`),
			columns: []column{{"time_taken", "s", ""}},
		},
		{
			kind: table, title: "Error log", about: "The latest lines.", width: 12, height: 9,
			queries: sql(`SELECT timestamp, level, message, client, request, upstream
FROM ${database}.error_logs WHERE $__timeFilter(timestamp) AND ` + thisAgent + ` ORDER BY timestamp DESC LIMIT 100`),
		},
	}
}

// requestsByClass is requests a second by class of the status code.
func requestsByClass(agents string) string {
	return `SELECT $__timeInterval(timestamp) AS time, countIf(status BETWEEN 200 AND 299) / $__interval_s AS "2xx",
    countIf(status BETWEEN 300 AND 399) / $__interval_s AS "3xx", countIf(status BETWEEN 400 AND 499) / $__interval_s AS "4xx",
    countIf(status >= 500) / $__interval_s AS "5xx"
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + agents + ` GROUP BY time ORDER BY time`
}
