package count

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Ages are seconds from a row's own time until the insert that brought it was there to be queried.
type Ages struct {
	P50 float64 `json:"p50" ch:"p50"`
	P90 float64 `json:"p90" ch:"p90"`
	P99 float64 `json:"p99" ch:"p99"`
	Max float64 `json:"max" ch:"oldest"`
	// Rows is how many rows had an insert in the log; all of them, unless ClickHouse was killed.
	Rows uint64 `json:"rows" ch:"counted"`
}

// FindAges joins every row with the insert that brought it: system.part_log has the microsecond at which a new part
// became visible, and the row has that part's block number (KeepBlockNumbers). No row is left out and nothing
// is asked while the load runs.
func FindAges(ctx context.Context, conn driver.Conn, t Table) (Ages, error) {
	var out []Ages
	if err := flush(ctx, conn); err != nil {
		return Ages{}, err
	}
	err := conn.Select(ctx, &out, fmt.Sprintf(`
		SELECT toFloat64(q[1]) AS p50, toFloat64(q[2]) AS p90, toFloat64(q[3]) AS p99, oldest, counted FROM (
			SELECT quantilesTDigest(0.5, 0.9, 0.99)(age) AS q, max(toFloat64(visible) - toFloat64(at) AS age) AS oldest, count() AS counted
			FROM (SELECT %s AS at, _block_number AS block FROM %s) AS r
			INNER JOIN (
				SELECT event_time_microseconds AS visible, toUInt64(splitByChar('_', part_name)[2]) AS block
				FROM system.part_log WHERE event_type = 'NewPart' AND %s
			) AS p USING block
		)`, t.Time, t.Name, isTable(t)))
	if err != nil || len(out) != 1 {
		return Ages{}, fmt.Errorf("find the ages of rows of %s: %w", t.Name, err)
	}
	return out[0], nil
}

// Inserts is how ClickHouse was written to: one new part is one insert.
type Inserts struct {
	Count   uint64  `json:"count" ch:"inserts"`
	RowsP50 float64 `json:"rows_p50" ch:"rows_p50"`
	RowsAvg float64 `json:"rows_mean" ch:"rows_mean"`
	RowsMax uint64  `json:"rows_max" ch:"rows_max"`
	MsP50   float64 `json:"duration_ms_p50" ch:"ms_p50"` // making the part, without what comes before and after
	MsP99   float64 `json:"duration_ms_p99" ch:"ms_p99"`
	Merges  uint64  `json:"merges" ch:"merges"`
}

// FindInserts reads the log of parts.
func FindInserts(ctx context.Context, conn driver.Conn, t Table) (Inserts, error) {
	var out []Inserts
	if err := flush(ctx, conn); err != nil {
		return Inserts{}, err
	}
	err := conn.Select(ctx, &out, `
		SELECT countIf(event_type = 'NewPart') AS inserts, ifNotFinite(quantileIf(0.5)(rows, event_type = 'NewPart'), 0) AS rows_p50,
			ifNotFinite(avgIf(rows, event_type = 'NewPart'), 0) AS rows_mean, maxIf(rows, event_type = 'NewPart') AS rows_max,
			ifNotFinite(quantileIf(0.5)(duration_ms, event_type = 'NewPart'), 0) AS ms_p50,
			ifNotFinite(quantileIf(0.99)(duration_ms, event_type = 'NewPart'), 0) AS ms_p99,
			countIf(event_type = 'MergeParts') AS merges
		FROM system.part_log WHERE `+isTable(t))
	if err != nil || len(out) != 1 {
		return Inserts{}, fmt.Errorf("read the log of parts of %s: %w", t.Name, err)
	}
	return out[0], nil
}

func flush(ctx context.Context, conn driver.Conn) error {
	if err := conn.Exec(ctx, "SYSTEM FLUSH LOGS"); err != nil {
		return fmt.Errorf("flush ClickHouse's logs: %w", err)
	}
	return nil
}

func isTable(t Table) string {
	database, table, _ := strings.Cut(t.Name, ".")
	return fmt.Sprintf("database = '%s' AND table = '%s'", database, table)
}
