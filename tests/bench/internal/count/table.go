// Package count looks for lost and doubled rows in ClickHouse, and finds out how old rows were when they could be queried.
package count

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Table is where rows of a load are, and how their ids and times are read.
//
// Every row has an id of 32 hex digits: run (8), writer in the run (8), number of the row from 0 (16).
type Table struct {
	Name string // database.table
	ID   string // an expression
	Time string // an expression: when the row came into being, to the millisecond
}

// AccessLogs is the typed table of a database.
func AccessLogs(database string) Table {
	return Table{Name: database + ".access_logs", ID: "request_id", Time: "timestamp"}
}

// OTelLogs is the table that contrib's exporter and ch_batch have for records that are not NGINX's.
func OTelLogs(database string) Table {
	return Table{Name: database + ".otel_logs", ID: "LogAttributes['nginx.request.id']", Time: "Timestamp"}
}

// KeepBlockNumbers makes merges keep the number of the insert that brought a row, which Ages needs. The numbers of a
// merged part cost next to nothing: they are runs of the same value.
func KeepBlockNumbers(ctx context.Context, conn driver.Conn, t Table) error {
	return conn.Exec(ctx, "ALTER TABLE "+t.Name+" MODIFY SETTING enable_block_number_column = 1")
}

// Writer is the rows of one writer: an agent, or a client.
type Writer struct {
	ID     string `ch:"writer"` // run and writer, 16 hex digits
	Rows   uint64 `ch:"stored"`
	Unique uint64 `ch:"different"`
	Next   uint64 `ch:"next"` // one more than the highest number
}

// Holes is how many numbers are missing below the highest one.
func (w Writer) Holes() uint64 { return w.Next - w.Unique }

// Writers counts the rows of every writer. Numbers of a writer are counted in a bitmap, exactly and in little memory.
func Writers(ctx context.Context, conn driver.Conn, t Table) ([]Writer, error) {
	var out []Writer
	err := conn.Select(ctx, &out, fmt.Sprintf(`
		SELECT substring(id, 1, 16) AS writer, count() AS stored, groupBitmap(n) AS different, max(n) + 1 AS next
		FROM (SELECT %s AS id, %s AS n FROM %s)
		GROUP BY writer ORDER BY writer`, t.ID, number("id"), t.Name))
	if err != nil {
		return nil, fmt.Errorf("count the rows of %s: %w", t.Name, err)
	}
	return out, nil
}

// number is the last half of an id.
func number(id string) string {
	return "reinterpretAsUInt64(reverse(unhex(substring(" + id + ", 17, 16))))"
}

// Rows is the verdict over all writers.
type Rows struct {
	Sent    uint64 `json:"sent"`
	Stored  uint64 `json:"stored"`
	Unique  uint64 `json:"unique"`
	Lost    int64  `json:"lost"`    // sent, and not there
	Doubled uint64 `json:"doubled"` // copies beyond the first
	Holes   uint64 `json:"holes"`   // missing numbers below the highest one of their writer: part of the lost
}

// Sum compares what is there with what was sent.
func Sum(writers []Writer, sent uint64) Rows {
	r := Rows{Sent: sent}
	for _, w := range writers {
		r.Stored += w.Rows
		r.Unique += w.Unique
		r.Holes += w.Holes()
	}
	r.Lost, r.Doubled = int64(sent)-int64(r.Unique), r.Stored-r.Unique
	return r
}
