package main

// geo is where requests come from.
func geo() board {
	return board{
		uid: "avika-geo", title: "Avika / Geo", from: "now-24h", agents: noAgents,
		about: "Where requests come from, by the hour. It is empty until the gateway has a GeoIP database: enrich.geoip_database of ch_batch.",
		rows: []row{
			{"World", geoWorld()},
			{"Countries", geoCountries()},
		},
	}
}

func geoWorld() []panel {
	return []panel{
		{
			kind: world, title: "Requests by city", width: 16, height: 16, levels: []level{{0.05, "orange"}, {0.2, "red"}},
			about: "A circle is as large as its city's requests; its colour is the share of errors.",
			queries: sql(`SELECT city, country, any(latitude) AS latitude, any(longitude) AS longitude, sum(request_count) AS requests,
    sum(error_count) / sum(request_count) AS errors_share
FROM ${database}.geo_requests_hourly WHERE $__timeFilter(hour) GROUP BY city, country ORDER BY requests DESC LIMIT 2000`),
		},
		{
			kind: bars, title: "Countries", about: "Those with most requests.", width: 8, height: 16,
			queries: sql(`SELECT any(country) AS name, sum(request_count) AS requests
FROM ${database}.geo_requests_hourly WHERE $__timeFilter(hour) GROUP BY country_code ORDER BY requests DESC LIMIT 20`),
		},
	}
}

func geoCountries() []panel {
	return []panel{
		{
			kind: areas, title: "Requests by country", about: "The ten with most requests.", unit: "reqps", width: 12, height: 9, every: "1h",
			queries: sql(`SELECT $__timeInterval(hour) AS time, toString(country) AS name, sum(request_count) / $__interval_s AS requests
FROM ${database}.geo_requests_hourly
WHERE $__timeFilter(hour) AND country_code IN (
    SELECT country_code FROM ${database}.geo_requests_hourly WHERE $__timeFilter(hour) GROUP BY country_code ORDER BY sum(request_count) DESC LIMIT 10)
GROUP BY time, name ORDER BY time`),
		},
		{
			kind: table, title: "Countries", about: "Errors, time and bytes by country.", width: 12, height: 9,
			queries: sql(`SELECT any(country) AS name, country_code AS code, sum(request_count) AS requests, sum(error_count) / sum(request_count) AS errors_share,
    sum(sum_latency) / sum(request_count) AS mean_time, sum(total_bytes) AS bytes
FROM ${database}.geo_requests_hourly WHERE $__timeFilter(hour) GROUP BY code ORDER BY requests DESC LIMIT 300`),
			columns: []column{{"errors_share", "percentunit", ""}, {"mean_time", "s", ""}, {"bytes", "bytes", ""}},
		},
	}
}
