package recordlimitprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// metrics takes out a metric as a whole when one of its points is too large.
func (l *limiter) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	var m pmetric.ProtoMarshaler
	if m.MetricsSize(md) <= l.max {
		return md, nil
	}
	f := &found{limiter: l, ctx: ctx}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			around := m.MetricsSize(metricsAround(rm, sm))
			sm.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
				point, total := largestPoint(metric), m.MetricSize(metric)
				head := total - point.sum // name, unit, description and metadata go with each point
				if !l.tooLarge(point.largest, around+head) {
					return false
				}
				alone := metricsAround(rm, sm)
				metric.CopyTo(alone.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty())
				return f.keep(m.MarshalMetrics(alone))
			})
		}
	}
	return md, f.outcome()
}

// points are the sizes of a metric's data points.
type points struct{ largest, sum int }

func (p *points) add(size int) {
	p.largest = max(p.largest, size)
	p.sum += size
}

func largestPoint(metric pmetric.Metric) (p points) {
	var m pmetric.ProtoMarshaler
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		for _, d := range metric.Gauge().DataPoints().All() {
			p.add(m.NumberDataPointSize(d))
		}
	case pmetric.MetricTypeSum:
		for _, d := range metric.Sum().DataPoints().All() {
			p.add(m.NumberDataPointSize(d))
		}
	case pmetric.MetricTypeHistogram:
		for _, d := range metric.Histogram().DataPoints().All() {
			p.add(m.HistogramDataPointSize(d))
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, d := range metric.ExponentialHistogram().DataPoints().All() {
			p.add(m.ExponentialHistogramDataPointSize(d))
		}
	case pmetric.MetricTypeSummary:
		for _, d := range metric.Summary().DataPoints().All() {
			p.add(m.SummaryDataPointSize(d))
		}
	}
	return p
}

// metricsAround is what goes with each metric of a scope.
func metricsAround(rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics) pmetric.Metrics {
	md := pmetric.NewMetrics()
	to := md.ResourceMetrics().AppendEmpty()
	rm.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(rm.SchemaUrl())
	scope := to.ScopeMetrics().AppendEmpty()
	sm.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(sm.SchemaUrl())
	return md
}

func copyOfMetrics(md pmetric.Metrics) pmetric.Metrics {
	c := pmetric.NewMetrics()
	md.CopyTo(c)
	return c
}
