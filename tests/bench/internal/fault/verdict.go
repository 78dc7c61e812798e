package fault

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

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

// Avika is the load of agents, whose protocol has no acknowledgement.
type Avika struct {
	Sent    uint64 `json:"sent"` // what the transport took
	Stored  uint64 `json:"stored"`
	Lost    int64  `json:"lost"`
	Doubled uint64 `json:"doubled"`
	Unsent  uint64 `json:"unsent"`
	Kills   []Kill `json:"kills"`
	// Elsewhere is lost rows that do not lie just before the end of their gateway: 0.
	Elsewhere uint64 `json:"lost_elsewhere"`
}

// Kill is the end of a gateway, and the rows that it had not made safe.
type Kill struct {
	Event
	Agents int    `json:"agents"` // that lost rows
	Lost   uint64 `json:"lost"`
	// Oldest is how long before the end the oldest of them came into being, in seconds: how much was in flight.
	Oldest float64 `json:"oldest_seconds"`
	// Newest is how long after the end the newest did; agents write every 20 ms.
	Newest float64 `json:"newest_seconds"`
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

func (r *run) verdictAvika(ctx context.Context, writers []count.Writer) (Avika, error) {
	v := Avika{Sent: r.agents.Sent(), Unsent: r.agents.Unsent}
	var mine []count.Writer
	for _, w := range writers {
		if !strings.HasPrefix(w.ID, fmt.Sprintf("%08x", otlpRun)) {
			mine = append(mine, w)
		}
	}
	rows := count.Sum(mine, v.Sent)
	v.Stored, v.Lost, v.Doubled = rows.Stored, rows.Lost, rows.Doubled
	var found uint64
	for i := range r.stack.Collectors {
		gaps, err := count.Gaps(ctx, r.stack.ClickHouse.Conn, r.table, fmt.Sprintf("%08x", agentRun+i))
		if err != nil {
			return v, err
		}
		kills, elsewhere := attribute(gaps, ends(r.injector.events, i))
		v.Kills, v.Elsewhere = append(v.Kills, kills...), v.Elsewhere+elsewhere
		for _, g := range gaps {
			found += g.Rows
		}
	}
	v.Elsewhere += uint64(max(0, rows.Lost-int64(found))) // not before a row that is there
	return v, nil
}

// ends are the kills and restarts of a gateway.
func ends(events []Event, gateway int) (out []Kill) {
	for _, e := range events {
		if (e.Kind == KillGateway || e.Kind == RestartGateway) && e.Gateway == gateway {
			out = append(out, Kill{Event: e, Oldest: math.Inf(-1), Newest: math.Inf(-1)})
		}
	}
	return out
}

// A gap belongs to the end of a gateway when it lies within so much before and after it.
const (
	flightBefore = 20 * time.Second // an end that comes while ClickHouse is away finds full queues
	flightAfter  = 200 * time.Millisecond
)

// attribute finds the end that each gap belongs to.
func attribute(gaps []count.Gap, kills []Kill) (_ []Kill, elsewhere uint64) {
	for _, g := range gaps {
		k := endOf(g, kills)
		if k == nil {
			elsewhere += g.Rows
			continue
		}
		at := seconds(k.Began)
		k.Agents++
		k.Lost += g.Rows
		k.Oldest, k.Newest = max(k.Oldest, at-g.Before), max(k.Newest, g.After-at)
	}
	for i := range kills {
		if kills[i].Agents == 0 {
			kills[i].Oldest, kills[i].Newest = 0, 0
		}
	}
	return kills, elsewhere
}

func endOf(g count.Gap, kills []Kill) *Kill {
	for i := range kills {
		at := seconds(kills[i].Began)
		end := seconds(kills[i].Ended)
		if g.Before >= at-flightBefore.Seconds() && g.Before <= end && g.After >= at-flightBefore.Seconds() && g.After <= end+flightAfter.Seconds() {
			return &kills[i]
		}
	}
	return nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
