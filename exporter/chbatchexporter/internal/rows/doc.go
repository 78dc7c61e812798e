// Package rows turns OpenTelemetry data into rows of ClickHouse tables: NGINX records into typed tables, everything else
// into the tables that contrib's ClickHouse exporter defines.
package rows
