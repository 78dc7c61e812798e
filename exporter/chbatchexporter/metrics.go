package chbatchexporter

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

type metricsExporter struct{ *signalExporter }

// ConsumeMetrics returns when the data points are as safe as configured.
func (e *metricsExporter) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	n := md.DataPointCount()
	if n == 0 {
		return nil
	}
	call, err := e.begin(ctx, n)
	if err != nil {
		return err
	}
	a := metricAppender{call: call, window: e.window()}
	if e.cfg.GatewayMetrics.Interval > 0 {
		a.load = e.backend.load
	}
	for _, rm := range md.ResourceMetrics().All() {
		a.res = rows.NewResource(rm.Resource().Attributes(), rm.SchemaUrl())
		a.shard = e.router.shard(a.res)
		for _, sm := range rm.ScopeMetrics().All() {
			a.appendScope(sm)
		}
	}
	return e.finish(ctx, call, n)
}

// metricAppender appends the metrics of one resource after the other.
type metricAppender struct {
	call   *blockqueue.Call
	window window
	load   *load // nil: nobody asks how many agents there are
	shard  int
	res    *rows.Resource
	// samples are room for those of a scope.
	samples []rows.Sample
}

// appendScope makes wide rows of what an agent reported, and rows of data points of everything else.
func (a *metricAppender) appendScope(sm pmetric.ScopeMetrics) {
	scope := &rows.Scope{InstrumentationScope: sm.Scope(), SchemaURL: sm.SchemaUrl()}
	if scope.Name() != nginxsemconv.ScopeName {
		for _, m := range sm.Metrics().All() {
			a.appendMetric(scope, m)
		}
		return
	}
	a.samples = rows.Collect(a.samples[:0], sm.Metrics(), func(m pmetric.Metric) { a.appendMetric(scope, m) })
	for i := range a.samples {
		a.appendSample(&a.samples[i])
	}
}

func (a *metricAppender) appendMetric(scope *rows.Scope, m pmetric.Metric) {
	n := rows.PointCount(m)
	if n == 0 {
		return
	}
	// The data points of a metric are of about the same time.
	lane := a.call.Lane(rows.MetricTable(m), a.shard, a.window.stray(rows.PointTime(m, 0)))
	defer lane.Unlock()
	for i := range n {
		if b, ok := lane.Builder().(*rows.Points); ok {
			b.Append(a.res, scope, m, i)
		}
		lane.Added(rows.PointTime(m, i))
	}
}

func (a *metricAppender) appendSample(s *rows.Sample) {
	if a.load != nil {
		a.load.sampled(a.res.Instance)
	}
	if s.HasNginx {
		a.appendRow(rows.NginxMetrics, s)
	}
	if s.HasSystem {
		a.appendRow(rows.SystemMetrics, s)
	}
}

func (a *metricAppender) appendRow(table string, s *rows.Sample) {
	lane := a.call.Lane(table, a.shard, a.window.stray(s.Time))
	defer lane.Unlock()
	switch b := lane.Builder().(type) {
	case *rows.Nginx:
		b.Append(a.res, s.Time, &s.Nginx)
	case *rows.System:
		b.Append(a.res, s.Time, &s.System)
	}
	lane.Added(s.Time)
}
