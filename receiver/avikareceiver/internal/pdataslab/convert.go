package pdataslab

import (
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"
)

// direct reports whether pdata can take our structures as they are. Pooling would put parts of slabs, and values that are
// shared, into its pools.
func direct() bool { return sameLayout && !pref.UseProtoPooling.IsEnabled() }

// Logs makes records the content of an empty slice.
func Logs(to plog.LogRecordSlice, records []*LogRecord) {
	if direct() {
		*(*reference[[]*LogRecord])(unsafe.Pointer(&to)).orig = records
		return
	}
	to.EnsureCapacity(len(records))
	for _, record := range records {
		convertRecord(to.AppendEmpty(), record)
	}
}

// Spans makes spans the content of an empty slice.
func Spans(to ptrace.SpanSlice, spans []*Span) {
	if direct() {
		*(*reference[[]*Span])(unsafe.Pointer(&to)).orig = spans
		return
	}
	to.EnsureCapacity(len(spans))
	for _, span := range spans {
		convertSpan(to.AppendEmpty(), span)
	}
}

// Metrics makes metrics the content of an empty slice.
func Metrics(to pmetric.MetricSlice, metrics []*Metric) {
	if direct() && sameMetricLayout {
		*(*reference[[]*Metric])(unsafe.Pointer(&to)).orig = metrics
		return
	}
	to.EnsureCapacity(len(metrics))
	for _, metric := range metrics {
		convertMetric(to.AppendEmpty(), metric)
	}
}

// Attributes makes attributes the content of an empty map.
func Attributes(to pcommon.Map, attributes []KeyValue) {
	if direct() {
		*(*reference[[]KeyValue])(unsafe.Pointer(&to)).orig = attributes
		return
	}
	to.EnsureCapacity(len(attributes))
	for i := range attributes {
		convertValue(to.PutEmpty(attributes[i].Key), attributes[i].Value)
	}
}

func convertRecord(to plog.LogRecord, record *LogRecord) {
	convertValue(to.Body(), record.Body)
	to.SetSeverityText(record.SeverityText)
	to.SetSeverityNumber(plog.SeverityNumber(record.Severity))
	to.SetEventName(record.EventName)
	to.SetTimestamp(pcommon.Timestamp(record.Time))
	to.SetObservedTimestamp(pcommon.Timestamp(record.ObservedTime))
	to.SetFlags(plog.LogRecordFlags(record.Flags))
	to.SetTraceID(record.TraceID)
	to.SetSpanID(record.SpanID)
	Attributes(to.Attributes(), record.Attributes)
}

func convertSpan(to ptrace.Span, span *Span) {
	to.SetName(span.Name)
	to.SetKind(ptrace.SpanKind(span.Kind))
	to.Status().SetCode(ptrace.StatusCode(span.Status.Code))
	to.Status().SetMessage(span.Status.Message)
	to.SetStartTimestamp(pcommon.Timestamp(span.Start))
	to.SetEndTimestamp(pcommon.Timestamp(span.End))
	to.SetFlags(span.Flags)
	to.SetTraceID(span.TraceID)
	to.SetSpanID(span.SpanID)
	to.SetParentSpanID(span.ParentID)
	Attributes(to.Attributes(), span.Attributes)
}

func convertMetric(to pmetric.Metric, metric *Metric) {
	to.SetName(metric.Name)
	to.SetUnit(metric.Unit)
	if metric.data.typ == metricTypes.gauge {
		convertPoints(to.SetEmptyGauge().DataPoints(), held[*gauge](metric.data).points)
		return
	}
	content := held[*sum](metric.data)
	sum := to.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporality(content.temporality))
	sum.SetIsMonotonic(content.monotonic)
	convertPoints(sum.DataPoints(), content.points)
}

func convertPoints(to pmetric.NumberDataPointSlice, points []*Point) {
	to.EnsureCapacity(len(points))
	for _, point := range points {
		converted := to.AppendEmpty()
		converted.SetTimestamp(pcommon.Timestamp(point.Time))
		Attributes(converted.Attributes(), point.Attributes)
		if point.value.typ == metricTypes.integer {
			converted.SetIntValue(held[int64](point.value))
		} else {
			converted.SetDoubleValue(held[float64](point.value))
		}
	}
}

func convertValue(to pcommon.Value, value Value) {
	switch value.typ {
	case types.text:
		to.SetStr(*(*string)(value.data))
	case types.integer:
		to.SetInt(*(*int64)(value.data))
	case types.double:
		to.SetDouble(*(*float64)(value.data))
	case types.array:
		elements := (*(**array)(value.data)).values
		list := to.SetEmptySlice()
		list.EnsureCapacity(len(elements))
		for _, element := range elements {
			convertValue(list.AppendEmpty(), element)
		}
	}
}

// HeldAlone reports whether the caller's reference to logs is the only one, when it has marked them as owned by the pipeline.
// Consumers that keep logs must hold a reference, as those of the collector's core do; that is for the operator to know.
func HeldAlone(logs plog.Logs) bool {
	return knownState && (*reference[struct{}])(unsafe.Pointer(&logs)).references() == 1
}

// SpansHeldAlone is HeldAlone for traces.
func SpansHeldAlone(traces ptrace.Traces) bool {
	return knownState && (*reference[struct{}])(unsafe.Pointer(&traces)).references() == 1
}

// MetricsHeldAlone is HeldAlone for metrics.
func MetricsHeldAlone(metrics pmetric.Metrics) bool {
	return knownState && (*reference[struct{}])(unsafe.Pointer(&metrics)).references() == 1
}

func (r *reference[T]) references() int32 { return (*state)(r.state).refs.Load() }
