// Package peer measures ch_batch beside contrib's ClickHouse exporter: the same rows, one after the other, on this machine.
// The result is in docs/clickhouse-exporter-comparison.md.
//
//	tests/peer/build.sh && make build && cd tests && go test -tags compare ./peer -v -timeout 60m
//
// AVIKA_COMPARE_ROWS and AVIKA_COMPARE_ONLY (part of a name) make it shorter.
package peer
