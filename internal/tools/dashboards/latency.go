package main

import (
	"fmt"
	"strings"
)

// latency is how long requests take, and where the time goes.
func latency() board {
	return board{
		uid: "avika-latency", title: "Avika / Latency", from: "now-30m", agents: someAgents,
		about: "How long requests take. It reads every request of the time range: keep the range short on a large fleet.",
		rows: []row{
			{"Requests", latencyRequests()},
			{"Upstreams", latencyUpstreams()},
			{"Where", latencyPlaces()},
		},
	}
}

func latencyRequests() []panel {
	return []panel{
		{
			kind: lines, title: "Time of a request", about: "That share of the requests took at most this long.", unit: "s", width: 12, height: 9, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, quantile(0.5)(request_time) AS p50, quantile(0.9)(request_time) AS p90,
    quantile(0.99)(request_time) AS p99, max(request_time) AS max
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
		{
			kind: heatmap, title: "Distribution", about: "How many requests took how long.", unit: "s", width: 12, height: 9, every: "10s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, ` + buckets() + `
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY time ORDER BY time`),
		},
	}
}

// buckets are columns whose names are their upper bounds in seconds.
func buckets() string {
	var columns []string
	last := "-1"
	for _, bound := range []string{"0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"} {
		columns = append(columns, fmt.Sprintf(`countIf(request_time > %s AND request_time <= %s) AS "%s"`, last, bound, bound))
		last = bound
	}
	return strings.Join(append(columns, `countIf(request_time > 10) AS "60"`), ",\n    ")
}

func latencyUpstreams() []panel {
	return []panel{
		{
			kind: lines, title: "Where the time goes, p95", about: "To connect to the upstream, until its header, until its answer is complete, and the whole request. " +
				"A whole that is much longer than the answer is a slow client.", unit: "s", width: 12, height: 8, every: "5s",
			queries: sql(`SELECT $__timeInterval(timestamp) AS time, quantile(0.95)(upstream_connect_time) AS connect, quantile(0.95)(upstream_header_time) AS header,
    quantile(0.95)(upstream_response_time) AS response, quantile(0.95)(request_time) AS request
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` AND upstream_addr != '' GROUP BY time ORDER BY time`),
		},
		{
			kind: table, title: "By upstream", about: "The slowest first.", width: 12, height: 8,
			queries: sql(`SELECT upstream_addr AS upstream, count() AS requests, quantile(0.5)(upstream_response_time) AS p50, quantile(0.95)(upstream_response_time) AS p95,
    quantile(0.99)(upstream_response_time) AS p99
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` AND upstream_addr != ''
GROUP BY upstream ORDER BY p95 DESC LIMIT 100`),
			columns: quantiles,
		},
	}
}

var quantiles = []column{{"p50", "s", ""}, {"p95", "s", ""}, {"p99", "s", ""}}

func latencyPlaces() []panel {
	return []panel{
		{
			kind: table, title: "By agent", about: "The slowest first. A click on an agent leads to its dashboard.", width: 12, height: 9,
			queries: sql(`SELECT instance_id AS agent, count() AS requests, quantile(0.5)(request_time) AS p50, quantile(0.95)(request_time) AS p95,
    quantile(0.99)(request_time) AS p99
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY agent ORDER BY p95 DESC LIMIT 100`),
			columns: append([]column{{"agent", "", "agent"}}, quantiles...),
		},
		{
			kind: table, title: "By path", about: "Paths without the query string, those first that cost most time in all.", width: 12, height: 9,
			queries: sql(`SELECT request_method AS method, path(request_uri) AS path, count() AS requests, sum(request_time) AS total,
    quantile(0.5)(request_time) AS p50, quantile(0.95)(request_time) AS p95, quantile(0.99)(request_time) AS p99
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` GROUP BY method, path ORDER BY total DESC LIMIT 100`),
			columns: append([]column{{"total", "s", ""}}, quantiles...),
		},
		{
			kind: table, title: "The slowest requests", about: "Of the time range.", width: 24, height: 9,
			queries: sql(`SELECT timestamp, instance_id AS agent, request_time AS time_taken, upstream_response_time AS upstream_time, status, request_method AS method,
    request_uri AS uri, upstream_addr AS upstream, body_bytes_sent AS bytes, remote_addr AS client, request_id
FROM ${database}.access_logs WHERE $__timeFilter(timestamp) AND ` + chosenAgents + ` ORDER BY time_taken DESC LIMIT 50`),
			columns: []column{{"agent", "", "agent"}, {"time_taken", "s", ""}, {"upstream_time", "s", ""}, {"bytes", "bytes", ""}},
		},
	}
}
