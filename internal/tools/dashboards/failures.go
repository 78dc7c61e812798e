package main

// failures are what went wrong: by code, agent, path and upstream.
func failures() board {
	return board{
		uid: "avika-errors", title: "Avika / Errors", from: "now-30m", agents: someAgents,
		about: "Requests that failed, and NGINX's error logs. It reads every request of the time range: keep the range short on a large fleet.",
		rows: []row{
			{"Requests", failedRequests()},
			{"Where", failurePlaces()},
			{"Error logs", errorLogs()},
		},
	}
}

func failedRequests() []panel {
	return []panel{
		{
			kind: areas, title: "Failed requests by status", about: "499: the client gave up. 502 to 504: the upstream is away, overloaded or slow.", unit: "reqps",
			width: 12, height: 8, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, toString(status) AS code, count() / $__interval_s AS requests
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` AND status >= 400
GROUP BY time, code ORDER BY time`),
		},
		{
			kind: lines, title: "Share of errors", about: "Of all requests.", unit: "percentunit", width: 12, height: 8, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, countIf(status BETWEEN 400 AND 499) / count() AS "4xx", countIf(status >= 500) / count() AS "5xx"
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
	}
}

func failurePlaces() []panel {
	return []panel{
		{
			kind: table, title: "By agent", about: "A click on an agent leads to its dashboard.", width: 8, height: 9,
			queries: sql(`SELECT instance_id AS agent, countIf(status >= 500) AS "5xx", countIf(status BETWEEN 400 AND 499) AS "4xx",
    countIf(status >= 500) / count() AS share_5xx
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + `
GROUP BY agent ORDER BY "5xx" DESC LIMIT 100`),
			columns: []column{{"agent", "", "agent"}, {"share_5xx", "percentunit", ""}},
		},
		{
			kind: table, title: "By path", about: "Paths without the query string.", width: 8, height: 9,
			queries: sql(`SELECT request_method AS method, path(request_uri) AS path, countIf(status >= 500) AS "5xx",
    countIf(status BETWEEN 400 AND 499) AS "4xx", countIf(status >= 500) / count() AS share_5xx
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + `
GROUP BY method, path HAVING "5xx" + "4xx" > 0 ORDER BY "5xx" DESC, "4xx" DESC LIMIT 100`),
			columns: []column{{"share_5xx", "percentunit", ""}},
		},
		{
			kind: table, title: "By upstream", about: "One that fails alone is broken; all of them: look behind them.", width: 8, height: 9,
			queries: sql(`SELECT upstream_addr AS upstream, countIf(status >= 500) AS "5xx", count() AS requests, countIf(status >= 500) / count() AS share_5xx
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` AND upstream_addr != ''
GROUP BY upstream ORDER BY "5xx" DESC LIMIT 100`),
			columns: []column{{"share_5xx", "percentunit", ""}},
		},
		{
			kind: table, title: "The latest", about: "Requests that failed with 5xx.", width: 24, height: 9,
			queries: sql(`SELECT timestamp, instance_id AS agent, status, request_method AS method, request_uri AS uri, request_time AS time_taken,
    upstream_addr AS upstream, upstream_status, remote_addr AS client, request_id
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` AND status >= 500
ORDER BY timestamp DESC LIMIT 100`),
			columns: []column{{"agent", "", "agent"}, {"time_taken", "s", ""}},
		},
	}
}

func errorLogs() []panel {
	return []panel{
		{
			kind: areas, title: "Lines by level", about: "Lines a second of the error logs.", unit: "cps", width: 12, height: 8, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, toString(level) AS severity, count() / $__interval_s AS lines
FROM ${database}.error_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY time, severity ORDER BY time`),
		},
		{
			kind: table, title: "Most frequent messages", about: "Numbers and quoted text are left out, so that like messages meet.", width: 12, height: 8,
			queries: sql(`SELECT replaceRegexpAll(message, '"[^"]*"|[0-9]+', '…') AS kind, any(level) AS level, count() AS lines, uniq(instance_id) AS agents,
    max(timestamp) AS latest
FROM ${database}.error_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY kind ORDER BY lines DESC LIMIT 50`),
		},
		{
			kind: table, title: "The latest lines", about: "Of the chosen agents.", width: 24, height: 9,
			queries: sql(`SELECT timestamp, instance_id AS agent, level, message, client, server, request, upstream
FROM ${database}.error_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` ORDER BY timestamp DESC LIMIT 100`),
			columns: []column{{"agent", "", "agent"}},
		},
	}
}
