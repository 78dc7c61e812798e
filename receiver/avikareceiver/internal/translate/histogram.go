package translate

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// latency adds the distribution of request durations. Bounds arrive in milliseconds and leave in seconds. The
// counts of a bucket called "le" include those of the buckets below it, unless they fall from one bucket to the next: then each
// stands for itself.
func (s *sample) latency(to pmetric.MetricSlice, buckets []wire.Bucket) {
	if len(buckets) == 0 {
		return
	}
	d := s.distribution
	if !d.read(buckets) {
		s.counts.RefusedValues++
		return
	}
	d.separate()
	metric := to.AppendEmpty()
	metric.SetName(nginxsemconv.MetricRequestDuration)
	metric.SetUnit("s")
	histogram := metric.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	point := histogram.DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.Timestamp(s.time))
	point.ExplicitBounds().FromRaw(d.bounds)
	point.BucketCounts().FromRaw(d.counts)
	point.SetCount(total(d.counts))
	s.counts.Points++
}

// distribution is room for the distribution of one sample after the other.
type distribution struct {
	// bounds are finite and in seconds.
	bounds []float64
	// counts are one for each bound, and one for what is above the last of them.
	counts []uint64
}

// read refuses bounds that do not rise and counts that are negative. The last bound may be infinite.
func (d *distribution) read(buckets []wire.Bucket) (ok bool) {
	d.bounds, d.counts = d.bounds[:0], d.counts[:0]
	if len(buckets) > wire.MaxLatencies {
		return false
	}
	last := math.Inf(-1)
	for _, bucket := range buckets {
		le := float64(bucket.Bound)
		if !(le > last) || bucket.Count < 0 {
			return false
		}
		last = le
		d.counts = append(d.counts, uint64(bucket.Count))
		if !math.IsInf(le, 1) {
			d.bounds = append(d.bounds, math.Round(le*1e3)/1e6)
		}
	}
	return true
}

// separate takes the counts of lower buckets out of those that include them.
func (d *distribution) separate() {
	if slices.IsSorted(d.counts) {
		for i := len(d.counts) - 1; i > 0; i-- {
			d.counts[i] -= d.counts[i-1]
		}
	}
	if len(d.counts) == len(d.bounds) {
		d.counts = append(d.counts, 0) // nothing is known of what is above the last bound
	}
}

func total(counts []uint64) uint64 {
	var sum uint64
	for _, n := range counts {
		sum += n
	}
	return sum
}
