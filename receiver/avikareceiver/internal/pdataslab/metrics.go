package pdataslab

//lint:file-ignore U1000 structures have pdata's fields, in their order, whether they are set or not

import (
	"reflect"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Metric is a pmetric.Metric under construction.
type Metric struct {
	Name        string
	description string
	Unit        string
	data        Value
	metadata    []KeyValue
}

// Point is a pmetric.NumberDataPoint under construction. Times are in Unix nanoseconds.
type Point struct {
	value      Value
	Attributes []KeyValue
	exemplars  emptySlice
	Start      uint64
	Time       uint64
	Flags      uint32
}

// emptySlice stands for a slice of anything that nobody puts anything into.
type emptySlice struct {
	first            unsafe.Pointer
	length, capacity int
}

type sum struct {
	points      []*Point
	temporality int32
	monotonic   bool
}

type gauge struct {
	points []*Point
}

const cumulative = int32(pmetric.AggregationTemporalityCumulative)

// metricTypes holds the type words of what a metric and a point refer to, like types.
var metricTypes, sameMetricLayout = findMetricTypes()

type metricWords struct {
	sum, gauge, integer, double unsafe.Pointer
}

func findMetricTypes() (metricWords, bool) {
	if words, ok := pdataMetricTypes(); ok {
		return words, true
	}
	return metricWords{
		sum:     typeWord((*wrapped[*sum])(nil)),
		gauge:   typeWord((*wrapped[*gauge])(nil)),
		integer: typeWord((*wrapped[int64])(nil)),
		double:  typeWord((*wrapped[float64])(nil)),
	}, false
}

// pdataMetricTypes returns pdata's own types, if they are what they are taken for.
func pdataMetricTypes() (words metricWords, ok bool) {
	if _, ok := content(reflect.TypeFor[pmetric.MetricSlice](), reflect.TypeFor[[]*Metric]()); !ok {
		return words, false
	}
	public := pmetric.NewMetricSlice()
	public.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty().SetIntValue(0)
	public.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(0)
	metrics := *(*reference[[]*Metric])(unsafe.Pointer(&public)).orig
	if !holds[*sum](metrics[0].data) || !holds[*gauge](metrics[1].data) {
		return words, false
	}
	words.sum, words.gauge = metrics[0].data.typ, metrics[1].data.typ
	whole, half := held[*sum](metrics[0].data).points[0].value, held[*gauge](metrics[1].data).points[0].value
	words.integer, words.double = whole.typ, half.typ
	return words, holds[int64](whole) && holds[float64](half)
}

// holds reports whether an interface holds a pointer to a wrapper of a T.
func holds[T any](v Value) bool {
	t := reflect.TypeOf(*(*any)(unsafe.Pointer(&v)))
	return t != nil && t.Kind() == reflect.Pointer && same(t.Elem(), reflect.TypeFor[wrapped[T]]())
}

func held[T any](v Value) T { return (*wrapped[T])(v.data).value }

// metricSlab has the parts of a Slab that metrics are made of.
type metricSlab struct {
	metrics    chunk[Metric]
	metricRefs chunk[*Metric]
	points     chunk[Point]
	pointRefs  chunk[*Point]
	sums       chunk[sum]
	sumRefs    chunk[*sum]
	gauges     chunk[gauge]
	gaugeRefs  chunk[*gauge]

	openMetrics []*Metric
	openPoints  []*Point
}

func (s *metricSlab) each(action chunkAction) {
	s.metrics.do(action)
	s.metricRefs.do(action)
	s.points.do(action)
	s.pointRefs.do(action)
	s.sums.do(action)
	s.sumRefs.do(action)
	s.gauges.do(action)
	s.gaugeRefs.do(action)
}

// OpenMetrics begins a list of at most n metrics.
func (s *Slab) OpenMetrics(n int) { s.openMetrics = s.metricRefs.reserve(n)[:0] }

// CloseMetrics ends the open list and returns it, with the capacity for one more metric of another kind.
func (s *Slab) CloseMetrics() []*Metric {
	list := s.openMetrics
	size := min(len(list)+1, cap(list))
	s.metricRefs.used += size
	return list[:len(list):size]
}

// OpenPoints begins a list of at most n points, which Sum or Gauge end.
func (s *Slab) OpenPoints(n int) { s.openPoints = s.pointRefs.reserve(n)[:0] }

func (s *Slab) closePoints() []*Point {
	list := s.openPoints
	s.pointRefs.used += len(list)
	s.openPoints = nil
	return list[:len(list):len(list)]
}

// PutInt adds a point with a whole number.
func (s *Slab) PutInt(at uint64, attributes []KeyValue, n int64) {
	value := s.ints.one()
	*value = n
	s.putPoint(at, attributes, Value{metricTypes.integer, unsafe.Pointer(value)})
}

// PutFloat adds a point.
func (s *Slab) PutFloat(at uint64, attributes []KeyValue, f float64) {
	value := s.floats.one()
	*value = f
	s.putPoint(at, attributes, Value{metricTypes.double, unsafe.Pointer(value)})
}

func (s *Slab) putPoint(at uint64, attributes []KeyValue, value Value) {
	point := s.points.one()
	*point = Point{value: value, Attributes: attributes, Time: at}
	s.openPoints = append(s.openPoints, point)
}

// Sum adds a cumulative sum of the open points to the open metrics, if there are any.
func (s *Slab) Sum(name, unit string, monotonic bool) {
	if len(s.openPoints) == 0 {
		return
	}
	content, ref := s.sums.one(), s.sumRefs.one()
	*content = sum{points: s.closePoints(), temporality: cumulative, monotonic: monotonic}
	*ref = content
	s.putMetric(name, unit, Value{metricTypes.sum, unsafe.Pointer(ref)})
}

// Gauge adds a gauge of the open points to the open metrics, if there are any.
func (s *Slab) Gauge(name, unit string) {
	if len(s.openPoints) == 0 {
		return
	}
	content, ref := s.gauges.one(), s.gaugeRefs.one()
	*content = gauge{points: s.closePoints()}
	*ref = content
	s.putMetric(name, unit, Value{metricTypes.gauge, unsafe.Pointer(ref)})
}

func (s *Slab) putMetric(name, unit string, data Value) {
	metric := s.metrics.one()
	*metric = Metric{Name: name, Unit: unit, data: data}
	s.openMetrics = append(s.openMetrics, metric)
}
