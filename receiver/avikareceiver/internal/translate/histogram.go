package translate

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// latency adds the distribution of request durations. Bounds arrive in milliseconds and leave in seconds. The
// counts of a bucket called "le" include those of the buckets below it, unless they fall from one bucket to the next: then each
// stands for itself.
func (s *sample) latency(to pmetric.MetricSlice, buckets []*agentv1.HistogramBucket) {
	if len(buckets) == 0 {
		return
	}
	bounds, counts, ok := readBuckets(buckets)
	if !ok {
		s.counts.RefusedValues++
		return
	}
	if slices.IsSorted(counts) {
		for i := len(counts) - 1; i > 0; i-- {
			counts[i] -= counts[i-1]
		}
	}
	if len(counts) == len(bounds) {
		counts = append(counts, 0) // nothing is known of what is above the last bound
	}
	metric := to.AppendEmpty()
	metric.SetName(nginxsemconv.MetricRequestDuration)
	metric.SetUnit("s")
	histogram := metric.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	point := histogram.DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.Timestamp(s.time))
	point.ExplicitBounds().FromRaw(bounds)
	point.BucketCounts().FromRaw(counts)
	point.SetCount(total(counts))
	s.counts.Points++
}

// maxBuckets is far more than any agent has.
const maxBuckets = 512

// readBuckets returns finite bounds in seconds and a count for each, with one more count when there is a bucket without bound.
// It refuses bounds that do not rise and counts that are negative.
func readBuckets(buckets []*agentv1.HistogramBucket) (bounds []float64, counts []uint64, ok bool) {
	if len(buckets) > maxBuckets {
		return nil, nil, false
	}
	last := math.Inf(-1)
	for _, bucket := range buckets {
		le, count := float64(bucket.GetLe()), bucket.GetCount()
		if !(le > last) || count < 0 {
			return nil, nil, false
		}
		last = le
		counts = append(counts, uint64(count))
		if !math.IsInf(le, 1) {
			bounds = append(bounds, math.Round(le*1e3)/1e6)
		}
	}
	return bounds, counts, true
}

func total(counts []uint64) uint64 {
	var sum uint64
	for _, n := range counts {
		sum += n
	}
	return sum
}
