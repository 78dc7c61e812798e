package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
)

func TestPlanRepeatsAndHasEveryKind(t *testing.T) {
	plan := NewPlan(7, 5*time.Minute, 2)
	assert.Equal(t, plan, NewPlan(7, 5*time.Minute, 2))
	assert.NotEqual(t, plan, NewPlan(8, 5*time.Minute, 2))
	seen := map[Kind]int{}
	end := time.Duration(0)
	for _, f := range plan {
		seen[f.Kind]++
		assert.Greater(t, f.At, end, "faults do not overlap")
		end = f.At + f.For
		assert.Less(t, f.Gateway, 2)
	}
	assert.Less(t, end, 5*time.Minute)
	for _, k := range kinds {
		assert.GreaterOrEqual(t, seen[k], 3, k)
	}
}

// TestOnlyTheLastRowsOfAStreamAreInFlight: what is lost anywhere else, or while the gateway lived, is a defect.
func TestOnlyTheLastRowsOfAStreamAreInFlight(t *testing.T) {
	killed := time.Unix(1000, 0)
	ends := endsOf([]Event{
		{Fault: Fault{Kind: PauseClickHouse}, Began: time.Unix(500, 0), Ended: time.Unix(505, 0)},
		{Fault: Fault{Kind: KillGateway, Gateway: 1}, Began: time.Unix(700, 0), Ended: time.Unix(701, 0)},
		{Fault: Fault{Kind: KillGateway}, Began: killed, Ended: time.Unix(1001, 0)},
	}, 0)
	require.Len(t, ends, 1, "the other gateway's end is none of its own")
	breaks := []load.Break{
		{Agent: 1, Entries: 15, At: 1000.1},
		{Agent: 2, Entries: 200, At: 1000.2},
		{Agent: 1, Entries: 90_000, At: 1000.3},
		{Agent: 3, Entries: 50, At: 600},
	}
	ends, elsewhere := attribute([]count.Gap{
		{Writer: "000a9e2700000001", First: 10, Rows: 5},   // the last of the stream
		{Writer: "000a9e2700000002", First: 100, Rows: 7},  // 93 rows behind them were safe
		{Writer: "000a9e2700000001", First: 500, Rows: 11}, // in the middle of a stream
		{Writer: "000a9e2700000003", First: 47, Rows: 3},   // the stream ended while the gateway lived
		{Writer: "000a9e2700000004", First: 1, Rows: 1},    // the stream did not end
	}, breaks, ends)
	assert.EqualValues(t, 12, ends[0].Lost)
	assert.Equal(t, 2, ends[0].Streams)
	assert.EqualValues(t, 7, ends[0].Most)
	assert.EqualValues(t, 93, ends[0].Behind)
	assert.EqualValues(t, 15, elsewhere)
}

func TestSwallowedRowsAreThoseThatTheViewHas(t *testing.T) {
	v := Verdict{OTLP: OTLP{Lost: 3800}, Avika: Avika{Elsewhere: 2500}, Rollup: 6300}
	assert.EqualValues(t, 6300, v.Swallowed())
	require.Error(t, v.Err(), "they are lost all the same")
	v.Rollup = 0
	assert.Zero(t, v.Swallowed(), "rows that no view has were lost elsewhere")
}
