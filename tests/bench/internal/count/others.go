package count

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Spans are counted by their ids.
type Spans struct {
	Stored  uint64 `json:"stored"`
	Unique  uint64 `json:"unique"`
	Servers uint64 `json:"servers"` // of these, the requests themselves: one per row
}

// FindSpans counts the spans of otel_traces, exactly: in slices, because ids of a hundred million do not fit into memory.
func FindSpans(ctx context.Context, conn driver.Conn, database string) (Spans, error) {
	var sum Spans
	stored, err := HowMany(ctx, conn, database+".otel_traces")
	if err != nil {
		return sum, err
	}
	const inMemory = 10_000_000
	slices := stored/inMemory + 1
	for slice := range slices {
		var one Spans
		err := conn.QueryRow(ctx, fmt.Sprintf(`
			SELECT count(), uniqExact(TraceId, SpanId), countIf(SpanKind = 'Server')
			FROM %s.otel_traces WHERE cityHash64(TraceId) %% %d = %d`, database, slices, slice)).Scan(&one.Stored, &one.Unique, &one.Servers)
		if err != nil {
			return sum, fmt.Errorf("count spans: %w", err)
		}
		sum.Stored, sum.Unique, sum.Servers = sum.Stored+one.Stored, sum.Unique+one.Unique, sum.Servers+one.Servers
	}
	return sum, nil
}

// HowMany rows a table has.
func HowMany(ctx context.Context, conn driver.Conn, table string) (n uint64, err error) {
	if err := conn.QueryRow(ctx, "SELECT count() FROM "+table).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of %s: %w", table, err)
	}
	return n, nil
}
