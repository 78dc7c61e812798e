package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// testMoving has agents open and close sessions at two gateways at once, in every order.
func testMoving(t *testing.T, s store.Store) {
	gateways := []int64{join(t, s, "one", lease), join(t, s, "two", lease)}
	var moving sync.WaitGroup
	for worker := range 4 {
		moving.Go(func() {
			for round := range 20 {
				openings := make([]store.Opening, 10)
				for i := range openings {
					openings[i] = opening(fmt.Sprintf("a%02d", i), 0)
				}
				opened, err := s.OpenSessions(t.Context(), gateways[(worker+round)%2], openings)
				if !assert.NoError(t, err) {
					return
				}
				var closings []store.Closing
				for i, o := range opened {
					closings = append(closings, store.Closing{AgentID: openings[i].AgentID, Session: o.Session})
				}
				assert.NoError(t, s.CloseSessions(t.Context(), closings))
			}
		})
	}
	moving.Wait()
	last := open(t, s, gateways[0], "a05")
	assert.Equal(t, last, live(t, s, "a05").Session)
	assert.True(t, live(t, s, "a05").ClosedAt.IsZero())
}
