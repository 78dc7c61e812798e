package count

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Copy is a row that is there more than once.
type Copy struct {
	Writer string `ch:"writer"` // run and writer, 16 hex digits
	Number uint64 `ch:"n"`
	Times  uint64 `ch:"times"`
}

// Copies finds the rows of a run (8 hex digits) that are there more than once.
func Copies(ctx context.Context, conn driver.Conn, t Table, run string) ([]Copy, error) {
	var out []Copy
	err := conn.Select(ctx, &out, fmt.Sprintf(`
		SELECT substring(id, 1, 16) AS writer, %s AS n, count() AS times FROM (SELECT %s AS id FROM %s)
		WHERE startsWith(id, '%s') GROUP BY id HAVING times > 1`, number("id"), t.ID, t.Name, run))
	if err != nil {
		return nil, fmt.Errorf("find the copies in %s: %w", t.Name, err)
	}
	return out, nil
}

// Gap is consecutive rows of a writer that are missing.
type Gap struct {
	Writer string `ch:"writer"`
	First  uint64 `ch:"first"`
	Rows   uint64 `ch:"missing"`
}

// Gaps finds the missing rows of a run between rows that are there.
func Gaps(ctx context.Context, conn driver.Conn, t Table, run string) ([]Gap, error) {
	var out []Gap
	err := conn.Select(ctx, &out, fmt.Sprintf(`
		SELECT writer, toUInt64(prior + 1) AS first, toUInt64(n - prior - 1) AS missing FROM (
			SELECT writer, toInt64(n) AS n, lagInFrame(toInt64(n), 1, -1) OVER w AS prior
			FROM (SELECT DISTINCT substring(id, 1, 16) AS writer, %s AS n FROM (SELECT %s AS id FROM %s WHERE startsWith(id, '%s')))
			WINDOW w AS (PARTITION BY writer ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
		) WHERE n > prior + 1 ORDER BY writer, first`, number("id"), t.ID, t.Name, run))
	if err != nil {
		return nil, fmt.Errorf("find what is missing in %s: %w", t.Name, err)
	}
	return out, nil
}
