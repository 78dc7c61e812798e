package chbatchexporter

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

func TestAgentsAreCountedOnceAndTheirMemoryIsNotKept(t *testing.T) {
	l := newLoad()
	buf := []byte("web-01")
	for range 3 {
		l.sampled(unsafe.String(&buf[0], len(buf)))
	}
	buf[0] = 'x'
	l.sampled("web-01")
	l.sampled("web-02")
	assert.Equal(t, 2, l.takeAgents())
	assert.Zero(t, l.takeAgents())
}

// TestAgentsAreCountedWhereSomebodyAsks: those of a process that writes no rows of gateway_metrics would be kept for ever.
func TestAgentsAreCountedWhereSomebodyAsks(t *testing.T) {
	for interval, want := range map[time.Duration]int{0: 0, time.Hour: 1} {
		t.Run(interval.String(), func(t *testing.T) {
			cfg := testConfig(t)
			cfg.GatewayMetrics.Interval = interval
			e, ok := startMetrics(t, cfg).(*metricsExporter)
			require.True(t, ok)
			md := gaugeOf(1)
			md.ResourceMetrics().At(0).Resource().Attributes().PutStr(nginxsemconv.AgentID, "web-01")
			sm := md.ResourceMetrics().At(0).ScopeMetrics().At(0)
			sm.Scope().SetName(nginxsemconv.ScopeName)
			sm.Metrics().At(0).SetName(nginxsemconv.MetricRequests)
			require.NoError(t, e.ConsumeMetrics(t.Context(), md))
			assert.Equal(t, want, e.backend.load.takeAgents())
		})
	}
}
