package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
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

// TestGapsBelongToTheEndOfTheirGateway: what is lost at any other time is not in flight.
func TestGapsBelongToTheEndOfTheirGateway(t *testing.T) {
	killed := time.Unix(1000, 0)
	events := []Event{
		{Fault: Fault{Kind: PauseClickHouse}, Began: time.Unix(500, 0), Ended: time.Unix(505, 0)},
		{Fault: Fault{Kind: KillGateway, Gateway: 1}, Began: time.Unix(700, 0), Ended: time.Unix(701, 0)},
		{Fault: Fault{Kind: KillGateway}, Began: killed, Ended: time.Unix(1001, 0)},
	}
	gaps := []count.Gap{
		{Writer: "a", First: 10, Rows: 5, Before: 999.5, After: 1000.1},
		{Writer: "b", First: 20, Rows: 7, Before: 999.8, After: 1000},
		{Writer: "c", First: 30, Rows: 3, Before: 701, After: 701.1},
	}
	kills, elsewhere := attribute(gaps, ends(events, 0))
	require.Len(t, kills, 1, "the other gateway's is not its own")
	assert.EqualValues(t, 12, kills[0].Lost)
	assert.Equal(t, 2, kills[0].Agents)
	assert.InDelta(t, 0.5, kills[0].Oldest, 1e-6)
	assert.InDelta(t, 0.1, kills[0].Newest, 1e-6)
	assert.EqualValues(t, 3, elsewhere)
}
