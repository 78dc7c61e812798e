package fault

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
)

// Avika is the load of agents, whose protocol has no acknowledgement.
type Avika struct {
	Sent    uint64 `json:"sent"` // what the transport took
	Stored  uint64 `json:"stored"`
	Lost    int64  `json:"lost"`
	Doubled uint64 `json:"doubled"`
	Unsent  uint64 `json:"unsent"`
	Ends    []End  `json:"ends"`
	// Elsewhere is lost rows that were not the last ones on a stream that ended with its gateway: 0.
	Elsewhere uint64 `json:"lost_elsewhere"`
}

// End is the end of a gateway, and the rows that it had not made safe.
type End struct {
	Event
	Streams int    `json:"streams"` // that lost rows
	Lost    uint64 `json:"lost"`
	Most    uint64 `json:"most"` // of one stream
	// Behind is how many rows after the lost ones of a stream were made safe nevertheless, at most. Rows of a stream are made
	// safe in order, block by block, so it is 0 but for blocks that were under way together.
	Behind uint64 `json:"behind"`
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
		run := fmt.Sprintf("%08x", agentRun+i)
		gaps, err := count.Gaps(ctx, r.stack.ClickHouse.Conn, r.table, run)
		if err != nil {
			return v, err
		}
		ends, elsewhere := attribute(gaps, r.breaks[i], endsOf(r.injector.events, i))
		v.Ends, v.Elsewhere = append(v.Ends, ends...), v.Elsewhere+elsewhere
		for _, g := range gaps {
			found += g.Rows
		}
	}
	v.Elsewhere += uint64(max(0, rows.Lost-int64(found))) // not before a row that is there
	return v, nil
}

// endsOf are the kills and restarts of a gateway.
func endsOf(events []Event, gateway int) (out []End) {
	for _, e := range events {
		if (e.Kind == KillGateway || e.Kind == RestartGateway) && e.Gateway == gateway {
			out = append(out, End{Event: e})
		}
	}
	return out
}

// underWay bounds, in rows, what a stream can have behind a row that is not safe: blocks that are filled, compressed and
// written to disk at the same time.
const underWay = 2000

// attribute finds, for each gap in the rows of an agent, the broken stream whose last rows it was, and the end of the
// gateway that broke the stream.
func attribute(gaps []count.Gap, breaks []load.Break, ends []End) (_ []End, elsewhere uint64) {
	for _, g := range gaps {
		b := breakAfter(g, breaks)
		e := endAt(b, ends)
		if e == nil {
			elsewhere += g.Rows
			continue
		}
		e.Streams++
		e.Lost += g.Rows
		e.Most, e.Behind = max(e.Most, g.Rows), max(e.Behind, b.Entries-g.First-g.Rows)
	}
	return ends, elsewhere
}

// breakAfter is the first end of the agent's streams after its missing rows, when that is near enough.
func breakAfter(g count.Gap, breaks []load.Break) (found *load.Break) {
	for i := range breaks {
		b := &breaks[i]
		if strings.HasSuffix(g.Writer, fmt.Sprintf("%08x", b.Agent)) && b.Entries >= g.First+g.Rows && (found == nil || b.Entries < found.Entries) {
			found = b
		}
	}
	if found == nil || found.Entries-g.First-g.Rows > underWay {
		return nil
	}
	return found
}

// endAt is the end of the gateway at which a stream broke; agents notice within a second.
func endAt(b *load.Break, ends []End) *End {
	if b == nil {
		return nil
	}
	at := time.UnixMicro(int64(b.At * 1e6))
	for i := range ends {
		if at.After(ends[i].Began.Add(-time.Millisecond)) && at.Before(ends[i].Ended.Add(time.Second)) {
			return &ends[i]
		}
	}
	return nil
}
