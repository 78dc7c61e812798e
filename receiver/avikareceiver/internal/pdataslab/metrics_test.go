package pdataslab

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"
)

func buildMetrics(slab *Slab, n int) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	scopes := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics()
	slab.Open(1)
	slab.Put("state", slab.String("active"))
	active := slab.Close()
	for i := range n {
		slab.OpenMetrics(5)
		slab.OpenPoints(2)
		slab.PutInt(uint64(i), active, int64(i))
		slab.PutInt(uint64(i)+1, nil, -7)
		slab.Sum("requests", "1", i%2 == 0)
		slab.OpenPoints(4)
		slab.Gauge("nothing", "1")
		slab.OpenPoints(1)
		slab.PutFloat(uint64(i), active, 0.5)
		slab.Gauge("cpu", "%")
		to := scopes.AppendEmpty().Metrics()
		Metrics(to, slab.CloseMetrics())
		to.AppendEmpty().SetEmptyHistogram()
	}
	return metrics
}

func wantMetrics(n int) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	scopes := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics()
	for i := range n {
		list := scopes.AppendEmpty().Metrics()
		requests := list.AppendEmpty()
		requests.SetName("requests")
		requests.SetUnit("1")
		sum := requests.SetEmptySum()
		sum.SetIsMonotonic(i%2 == 0)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		putPoint(sum.DataPoints(), i, "active").SetIntValue(int64(i))
		putPoint(sum.DataPoints(), i+1, "").SetIntValue(-7)
		cpu := list.AppendEmpty()
		cpu.SetName("cpu")
		cpu.SetUnit("%")
		putPoint(cpu.SetEmptyGauge().DataPoints(), i, "active").SetDoubleValue(0.5)
		list.AppendEmpty().SetEmptyHistogram()
	}
	return metrics
}

func putPoint(points pmetric.NumberDataPointSlice, at int, state string) pmetric.NumberDataPoint {
	point := points.AppendEmpty()
	point.SetTimestamp(pcommon.Timestamp(at))
	if state != "" {
		point.Attributes().PutStr("state", state)
	}
	return point
}

func TestMetricsEqualWhatThePublicFunctionsBuild(t *testing.T) {
	bothPaths(t, func(t *testing.T) {
		var slab Slab
		for _, n := range []int{1, 3, 1000} {
			got, want := buildMetrics(&slab, n), wantMetrics(n)
			require.True(t, pref.EqualMetrics(want, got), "%d samples", n)
			clone := pmetric.NewMetrics()
			got.CopyTo(clone)
			require.True(t, pref.EqualMetrics(want, clone))
		}
	})
}

func TestRecycledMetrics(t *testing.T) {
	var slab Slab
	slab.Keep()
	for range 10 {
		require.True(t, pref.EqualMetrics(wantMetrics(300), buildMetrics(&slab, 300)))
		slab.Recycle()
	}
	allocations := testing.AllocsPerRun(20, func() {
		buildMetrics(&slab, 300)
		slab.Recycle()
	})
	require.Less(t, allocations/300, 8.0, "a sample's scope and histogram alone")
	held := buildMetrics(&slab, 10)
	slab.Forget()
	buildMetrics(&slab, 300)
	require.True(t, pref.EqualMetrics(wantMetrics(10), held))
}
