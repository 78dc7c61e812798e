package rows

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Points builds rows of the otel_metrics tables, one row per data point. Which columns there are depends on the table.
type Points struct {
	fields
	scratch []byte

	resource, scope, attrs                             *attributes
	resourceURL, scopeName, scopeVersion, scopeURL     *nativeblock.String
	description, unit                                  *nativeblock.String
	scopeDropped, start, time, flags                   *nativeblock.Fixed
	service, name                                      *nativeblock.LowCardinality
	value, count, sum, min, max, temporality, monotone *nativeblock.Fixed
	scale, zeroCount, positiveOffset, negativeOffset   *nativeblock.Fixed
	buckets, positive, negative, bounds                *nativeblock.Array[*nativeblock.Fixed]
	quantiles, quantileValues                          *nativeblock.Array[*nativeblock.Fixed]
	exemplarAttrs                                      *nativeblock.Array[*nativeblock.Map]
	exemplarTime, exemplarValue                        *nativeblock.Array[*nativeblock.Fixed]
	exemplarSpan, exemplarTrace                        *nativeblock.Array[*nativeblock.String]
}

// Times are written with nanoseconds whatever the table has: the server converts, and older versions of contrib's
// exporter made tables that keep them.
const timeType = "DateTime64(9)"

func newPoints(table string) *Points {
	t := &Points{}
	t.resource, t.resourceURL = newAttributes(&t.fields, "ResourceAttributes"), t.str("ResourceSchemaUrl")
	t.scopeName, t.scopeVersion = t.str("ScopeName"), t.str("ScopeVersion")
	t.scope, t.scopeDropped = newAttributes(&t.fields, "ScopeAttributes"), t.uint32("ScopeDroppedAttrCount")
	t.scopeURL, t.service, t.name = t.str("ScopeSchemaUrl"), t.low("ServiceName"), t.low("MetricName")
	t.description, t.unit = t.str("MetricDescription"), t.str("MetricUnit")
	t.attrs, t.start, t.time = newAttributes(&t.fields, "Attributes"), t.nanos("StartTimeUnix"), t.nanos("TimeUnix")
	t.flags = t.uint32("Flags")
	switch table {
	case OTelGauge:
		t.value = t.float64("Value")
		t.addExemplars()
	case OTelSum:
		t.value = t.float64("Value")
		t.temporality, t.monotone = t.int32("AggregationTemporality"), t.fixed("IsMonotonic", "Bool", 1)
		t.addExemplars()
	case OTelHistogram:
		t.addDistribution()
		t.buckets, t.bounds = t.uints("BucketCounts"), t.floats("ExplicitBounds")
	case OTelExpHist:
		t.addDistribution()
		t.scale, t.zeroCount = t.int32("Scale"), t.uint64("ZeroCount")
		t.positiveOffset, t.positive = t.int32("PositiveOffset"), t.uints("PositiveBucketCounts")
		t.negativeOffset, t.negative = t.int32("NegativeOffset"), t.uints("NegativeBucketCounts")
	case OTelSummary:
		t.count, t.sum = t.uint64("Count"), t.float64("Sum")
		t.quantiles, t.quantileValues = t.floats("ValueAtQuantiles.Quantile"), t.floats("ValueAtQuantiles.Value")
	}
	return t
}

func (t *Points) addDistribution() {
	t.count, t.sum, t.min, t.max = t.uint64("Count"), t.float64("Sum"), t.float64("Min"), t.float64("Max")
	t.temporality = t.int32("AggregationTemporality")
	t.addExemplars()
}

func (t *Points) addExemplars() {
	f := &t.fields
	t.exemplarAttrs = array(f, "Exemplars.FilteredAttributes", lowMapType, nativeblock.NewMap())
	t.exemplarTime = array(f, "Exemplars.TimeUnix", timeType, nativeblock.NewFixed(8))
	t.exemplarValue = t.floats("Exemplars.Value")
	t.exemplarSpan = array(f, "Exemplars.SpanId", "String", nativeblock.NewString())
	t.exemplarTrace = array(f, "Exemplars.TraceId", "String", nativeblock.NewString())
}

func (t *Points) uints(name string) *nativeblock.Array[*nativeblock.Fixed] {
	return array(&t.fields, name, "UInt64", nativeblock.NewFixed(8))
}

func (t *Points) floats(name string) *nativeblock.Array[*nativeblock.Fixed] {
	return array(&t.fields, name, "Float64", nativeblock.NewFixed(8))
}

// Block implements Builder.
func (t *Points) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Points) Reset() {
	t.block.Reset()
	t.resource.last, t.scope.last = nil, nil
}

// MetricTable is the table of a metric's kind; empty for a metric without data.
func MetricTable(m pmetric.Metric) string {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return OTelGauge
	case pmetric.MetricTypeSum:
		return OTelSum
	case pmetric.MetricTypeHistogram:
		return OTelHistogram
	case pmetric.MetricTypeExponentialHistogram:
		return OTelExpHist
	case pmetric.MetricTypeSummary:
		return OTelSummary
	}
	return ""
}

// PointCount is the number of data points of a metric.
func PointCount(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	}
	return 0
}

// PointTime is the time of data point i of a metric.
func PointTime(m pmetric.Metric, i int) pcommon.Timestamp {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().At(i).Timestamp()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().At(i).Timestamp()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().At(i).Timestamp()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().At(i).Timestamp()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().At(i).Timestamp()
	}
	return 0
}

// Append adds data point i of a metric of this table's kind.
func (t *Points) Append(res *Resource, scope *Scope, m pmetric.Metric, i int) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		t.appendNumber(res, scope, m, m.Gauge().DataPoints().At(i))
	case pmetric.MetricTypeSum:
		t.temporality.Append32(uint32(m.Sum().AggregationTemporality()))
		t.monotone.AppendBool(m.Sum().IsMonotonic())
		t.appendNumber(res, scope, m, m.Sum().DataPoints().At(i))
	case pmetric.MetricTypeHistogram:
		t.temporality.Append32(uint32(m.Histogram().AggregationTemporality()))
		t.appendHistogram(res, scope, m, m.Histogram().DataPoints().At(i))
	case pmetric.MetricTypeExponentialHistogram:
		t.temporality.Append32(uint32(m.ExponentialHistogram().AggregationTemporality()))
		t.appendExponential(res, scope, m, m.ExponentialHistogram().DataPoints().At(i))
	case pmetric.MetricTypeSummary:
		t.appendSummary(res, scope, m, m.Summary().DataPoints().At(i))
	}
}

// point is what the data points of all kinds have.
type point interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	Timestamp() pcommon.Timestamp
	Flags() pmetric.DataPointFlags
}

func (t *Points) appendPoint(res *Resource, scope *Scope, m pmetric.Metric, p point) {
	t.block.Rows++
	t.resource.appendOf(res, res.Attributes)
	t.resourceURL.Append(res.SchemaURL)
	t.scopeName.Append(scope.Name())
	t.scopeVersion.Append(scope.Version())
	t.scope.appendOf(scope, scope.Attributes())
	t.scopeDropped.Append32(scope.DroppedAttributesCount())
	t.scopeURL.Append(scope.SchemaURL)
	t.service.Append(res.Service)
	t.name.Append(m.Name())
	t.description.Append(m.Description())
	t.unit.Append(m.Unit())
	t.attrs.append(p.Attributes())
	t.start.Append64(nanos(p.StartTimestamp()))
	t.time.Append64(nanos(p.Timestamp()))
	t.flags.Append32(uint32(p.Flags()))
}

func (t *Points) appendNumber(res *Resource, scope *Scope, m pmetric.Metric, p pmetric.NumberDataPoint) {
	t.appendPoint(res, scope, m, p)
	t.value.AppendFloat64(number(p))
	t.appendExemplars(p.Exemplars())
}

func number(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

func (t *Points) appendHistogram(res *Resource, scope *Scope, m pmetric.Metric, p pmetric.HistogramDataPoint) {
	t.appendPoint(res, scope, m, p)
	t.count.Append64(p.Count())
	t.sum.AppendFloat64(p.Sum())
	t.min.AppendFloat64(p.Min())
	t.max.AppendFloat64(p.Max())
	appendUints(t.buckets, p.BucketCounts())
	for i := range p.ExplicitBounds().Len() {
		t.bounds.Values.AppendFloat64(p.ExplicitBounds().At(i))
	}
	t.bounds.End()
	t.appendExemplars(p.Exemplars())
}

func (t *Points) appendExponential(res *Resource, scope *Scope, m pmetric.Metric, p pmetric.ExponentialHistogramDataPoint) {
	t.appendPoint(res, scope, m, p)
	t.count.Append64(p.Count())
	t.sum.AppendFloat64(p.Sum())
	t.min.AppendFloat64(p.Min())
	t.max.AppendFloat64(p.Max())
	t.scale.Append32(uint32(p.Scale()))
	t.zeroCount.Append64(p.ZeroCount())
	t.positiveOffset.Append32(uint32(p.Positive().Offset()))
	appendUints(t.positive, p.Positive().BucketCounts())
	t.negativeOffset.Append32(uint32(p.Negative().Offset()))
	appendUints(t.negative, p.Negative().BucketCounts())
	t.appendExemplars(p.Exemplars())
}

func (t *Points) appendSummary(res *Resource, scope *Scope, m pmetric.Metric, p pmetric.SummaryDataPoint) {
	t.appendPoint(res, scope, m, p)
	t.count.Append64(p.Count())
	t.sum.AppendFloat64(p.Sum())
	for i := range p.QuantileValues().Len() {
		q := p.QuantileValues().At(i)
		t.quantiles.Values.AppendFloat64(q.Quantile())
		t.quantileValues.Values.AppendFloat64(q.Value())
	}
	t.quantiles.End()
	t.quantileValues.End()
}

func appendUints(c *nativeblock.Array[*nativeblock.Fixed], values pcommon.UInt64Slice) {
	for i := range values.Len() {
		c.Values.Append64(values.At(i))
	}
	c.End()
}

func (t *Points) appendExemplars(exemplars pmetric.ExemplarSlice) {
	for i := range exemplars.Len() {
		e := exemplars.At(i)
		appendAttributes(t.exemplarAttrs.Values, &t.scratch, e.FilteredAttributes())
		t.exemplarTime.Values.Append64(nanos(e.Timestamp()))
		t.exemplarValue.Values.AppendFloat64(exemplarValue(e))
		appendSpanID(t.exemplarSpan.Values, e.SpanID())
		appendTraceID(t.exemplarTrace.Values, e.TraceID())
	}
	t.exemplarAttrs.End()
	t.exemplarTime.End()
	t.exemplarValue.End()
	t.exemplarSpan.End()
	t.exemplarTrace.End()
}

func exemplarValue(e pmetric.Exemplar) float64 {
	if e.ValueType() == pmetric.ExemplarValueTypeInt {
		return float64(e.IntValue())
	}
	return e.DoubleValue()
}
