package fault

import (
	"context"
	"fmt"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
)

// Verdict is what came of the rows.
type Verdict struct {
	Seed   uint64  `json:"seed"`
	Events []Event `json:"events"`
	Aborts int     `json:"clickhouse_aborted_by_itself"`

	OTLP  OTLP  `json:"otlp"`
	Avika Avika `json:"avika"`

	SpansDoubled uint64 `json:"spans_doubled"`
	Rollup       int64  `json:"rollup_minus_rows"` // requests in traffic_5min less rows in access_logs: 0
}

// OTLP is the load whose clients wait for acknowledgements and send again what was not acknowledged.
type OTLP struct {
	Acknowledged uint64         `json:"acknowledged"`
	SentAgain    int            `json:"requests_sent_again"`
	Open         int            `json:"requests_never_acknowledged"`
	Lost         uint64         `json:"lost"`          // of the acknowledged rows
	Doubled      uint64         `json:"doubled"`       // rows of requests that were acknowledged at the first attempt
	DoubledAgain uint64         `json:"doubled_again"` // rows of requests that the client itself sent again
	Failures     map[string]int `json:"failures"`
}

func (r *run) verdict(ctx context.Context) (Verdict, error) {
	v := Verdict{Seed: r.opts.Seed, Events: r.injector.events, Aborts: r.injector.aborts}
	writers, err := count.Writers(ctx, r.stack.ClickHouse.Conn, r.table)
	if err != nil {
		return v, err
	}
	if v.OTLP, err = r.verdictOTLP(ctx, writers); err != nil {
		return v, err
	}
	if v.Avika, err = r.verdictAvika(ctx, writers); err != nil {
		return v, err
	}
	spans, err := count.FindSpans(ctx, r.stack.ClickHouse.Conn, r.stack.Database)
	if err != nil {
		return v, err
	}
	v.SpansDoubled = spans.Stored - spans.Unique
	err = r.stack.ClickHouse.Conn.QueryRow(ctx, fmt.Sprintf("SELECT toInt64(sum(requests)) - toInt64((SELECT count() FROM %s)) FROM %s.traffic_5min",
		r.table.Name, r.stack.Database)).Scan(&v.Rollup)
	return v, err
}

func (r *run) verdictOTLP(ctx context.Context, writers []count.Writer) (OTLP, error) {
	report := r.otlp.Report
	v := OTLP{Acknowledged: report.Rows, SentAgain: len(report.Resent), Open: len(report.Open), Failures: report.Failures}
	unique := map[string]uint64{}
	for _, w := range writers {
		unique[w.ID] = w.Unique
	}
	for i, acknowledged := range report.ByClient {
		v.Lost += acknowledged - min(acknowledged, unique[fmt.Sprintf("%08x%08x", otlpRun, i)])
	}
	copies, err := count.Copies(ctx, r.stack.ClickHouse.Conn, r.table, fmt.Sprintf("%08x", otlpRun))
	for _, c := range copies {
		if isIn(append(report.Resent, report.Open...), c) {
			v.DoubledAgain += c.Times - 1
		} else {
			v.Doubled += c.Times - 1
		}
	}
	return v, err
}

func isIn(ranges []otlpload.Range, c count.Copy) bool {
	var run, writer uint32
	if _, err := fmt.Sscanf(c.Writer, "%08x%08x", &run, &writer); err != nil {
		return false
	}
	for _, r := range ranges {
		if r.Has(writer, c.Number) {
			return true
		}
	}
	return false
}
