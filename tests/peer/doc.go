// Package peer measures ch_batch beside contrib's ClickHouse exporter: the same rows, one after the other, on this machine.
// The result is in docs/clickhouse-exporter-comparison.md.
//
//	tests/peer/build.sh && make build && cd tests && AVIKA_COMPARE=1 go test ./peer -v -timeout 60m
package peer
