package translate

import (
	"maps"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
)

// Samples collects the metrics of one stream. The zero value with Settings is empty.
type Samples struct {
	Settings *Settings

	metrics  pmetric.Metrics
	resource *Resource
	counts   SampleCounts
}

// SampleCounts is what samples have become and what was left out of them.
type SampleCounts struct {
	Points, RefusedValues int
}

// Add adds a sample that was queued at a Unix time and received at another, in Unix nanoseconds.
func (c *Samples) Add(agent *Agent, message *agentv1.NginxMetrics, queued, received int64) {
	at := uint64(received)
	if queued > 0 && queued <= maxUnix {
		at = uint64(queued) * 1e9
	} else {
		c.counts.RefusedValues++
	}
	s := sample{to: c.scope(agent, message).Metrics(), time: pcommon.Timestamp(at), counts: &c.counts}
	s.nginx(message)
	if rate, ok := agent.rate.next(queued, message.GetTotalRequests()); ok {
		s.gauge(nginxsemconv.MetricRequestRate, "{request}/s").float(rate)
	}
	s.responses(message.GetHttpStatus())
	s.latency(message.GetLatencyDistribution())
	s.system(message.GetSystem())
}

// Take returns what was collected and leaves nothing behind. Without points the metrics are the zero value.
func (c *Samples) Take() (pmetric.Metrics, SampleCounts) {
	metrics, counts := c.metrics, c.counts
	if c.resource != nil {
		metrics.MarkReadOnly()
	}
	c.metrics, c.resource, c.counts = pmetric.Metrics{}, nil, SampleCounts{}
	return metrics, counts
}

// scope returns the scope of a new sample. Labels of the sample itself come on top of the agent's.
func (c *Samples) scope(agent *Agent, message *agentv1.NginxMetrics) pmetric.ScopeMetrics {
	if c.resource == nil {
		c.metrics = pmetric.NewMetrics()
	}
	resources := c.metrics.ResourceMetrics()
	if described := agent.sampleResource(message); described != c.resource {
		c.resource = described
		resource := resources.AppendEmpty()
		resource.SetSchemaUrl(nginxsemconv.SchemaURL)
		pdataslab.Attributes(resource.Resource().Attributes(), described.attributes)
	}
	scope := resources.At(resources.Len() - 1).ScopeMetrics().AppendEmpty()
	scope.SetSchemaUrl(nginxsemconv.SchemaURL)
	c.Settings.nameScope(scope.Scope())
	return scope
}

// sampleResource is the agent's resource, with the labels of a sample when it has any.
func (a *Agent) sampleResource(message *agentv1.NginxMetrics) *Resource {
	own := [...]map[string]string{message.GetLabels(), message.GetSystem().GetLabels()}
	if len(own[0]) == 0 && len(own[1]) == 0 {
		return a.resource
	}
	all := maps.Clone(a.facts.labels)
	if all == nil {
		all = map[string]string{}
	}
	for _, labels := range own {
		maps.Copy(all, labels)
	}
	if maps.Equal(all, a.facts.labels) {
		return a.resource
	}
	f := a.facts
	f.labels, _ = trimLabels(all, a.settings.Labels)
	return a.buildResource(&f)
}

// rate derives requests per second from successive samples. What agents report is an average over their life.
type rate struct {
	queued, total int64
}

// next returns the rate since the sample before, unless there is none, NGINX was restarted, or the samples are out of
// order. Samples of the same second count for the next.
func (r *rate) next(queued, total int64) (float64, bool) {
	elapsed, grown, known := queued-r.queued, total-r.total, r.queued > 0
	if queued <= 0 || known && elapsed <= 0 {
		return 0, false
	}
	r.queued, r.total = queued, total
	if !known || grown < 0 {
		return 0, false
	}
	return float64(grown) / float64(elapsed), true
}

// sample writes the data points of one message.
type sample struct {
	to     pmetric.MetricSlice
	time   pcommon.Timestamp
	counts *SampleCounts
}

// series is a metric that points are added to.
type series struct {
	*sample
	points pmetric.NumberDataPointSlice
}

func (s *sample) metric(name, unit string) pmetric.Metric {
	metric := s.to.AppendEmpty()
	metric.SetName(name)
	metric.SetUnit(unit)
	return metric
}

func (s *sample) gauge(name, unit string) series {
	return series{s, s.metric(name, unit).SetEmptyGauge().DataPoints()}
}

func (s *sample) sum(name, unit string, monotonic bool) series {
	sum := s.metric(name, unit).SetEmptySum()
	sum.SetIsMonotonic(monotonic)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return series{s, sum.DataPoints()}
}

func (s series) point(attribute ...string) pmetric.NumberDataPoint {
	point := s.points.AppendEmpty()
	point.SetTimestamp(s.time)
	if len(attribute) == 2 {
		point.Attributes().PutStr(attribute[0], attribute[1])
	}
	s.counts.Points++
	return point
}

// int adds a count; a negative one is refused.
func (s series) int(n int64, attribute ...string) {
	if n < 0 {
		s.counts.RefusedValues++
		return
	}
	s.point(attribute...).SetIntValue(n)
}

// unsigned adds a count that may be too large for OpenTelemetry.
func (s series) unsigned(n uint64, attribute ...string) {
	if n > math.MaxInt64 {
		s.counts.RefusedValues++
		return
	}
	s.point(attribute...).SetIntValue(int64(n))
}

// float adds a number; one that is negative or not finite is refused.
func (s series) float(f float64, attribute ...string) {
	if !(f >= 0) || math.IsInf(f, 1) {
		s.counts.RefusedValues++
		return
	}
	s.point(attribute...).SetDoubleValue(f)
}

func (s *sample) nginx(m *agentv1.NginxMetrics) {
	const state = nginxsemconv.ConnectionState
	s.sum(nginxsemconv.MetricRequests, "requests", true).int(m.GetTotalRequests())
	s.sum(nginxsemconv.MetricConnectionsAccepted, "connections", true).int(m.GetAcceptedConnections())
	s.sum(nginxsemconv.MetricConnectionsHandled, "connections", true).int(m.GetHandledConnections())
	current := s.sum(nginxsemconv.MetricConnectionsCurrent, "connections", false)
	current.int(m.GetActiveConnections(), state, "active")
	current.int(m.GetReading(), state, "reading")
	current.int(m.GetWriting(), state, "writing")
	current.int(m.GetWaiting(), state, "waiting")
	traffic := s.sum(nginxsemconv.MetricRequestIO, "By", true)
	traffic.int(m.GetBytesInTotal(), nginxsemconv.IODirection, nginxsemconv.DirectionIn)
	traffic.int(m.GetBytesOutTotal(), nginxsemconv.IODirection, nginxsemconv.DirectionOut)
}

func (s *sample) responses(m *agentv1.HttpStatusMetrics) {
	if m == nil {
		return
	}
	const class = nginxsemconv.StatusRange
	responses := s.sum(nginxsemconv.MetricResponseStatus, "responses", true)
	responses.int(m.GetStatus_2XxCount(), class, "2xx")
	responses.int(m.GetStatus_3XxCount(), class, "3xx")
	responses.int(m.GetStatus_4XxCount(), class, "4xx")
	responses.int(m.GetStatus_5XxCount(), class, "5xx")
}

func (s *sample) system(m *agentv1.SystemMetrics) {
	if m == nil {
		return
	}
	const mode, direction = "cpu.mode", nginxsemconv.NetworkDirection
	cpu := s.gauge(nginxsemconv.MetricCPUUtilization, "1")
	cpu.float(ratio(m.GetCpuUsagePercent()))
	cpu.float(ratio(m.GetCpuUserPercent()), mode, "user")
	cpu.float(ratio(m.GetCpuSystemPercent()), mode, "system")
	cpu.float(ratio(m.GetCpuIowaitPercent()), mode, "iowait")
	s.sum(nginxsemconv.MetricMemoryUsage, "By", false).unsigned(m.GetMemoryUsedBytes(), "system.memory.state", "used")
	s.sum(nginxsemconv.MetricMemoryLimit, "By", false).unsigned(m.GetMemoryTotalBytes())
	s.gauge(nginxsemconv.MetricMemoryUtilization, "1").float(ratio(m.GetMemoryUsagePercent()))
	network := s.sum(nginxsemconv.MetricNetworkIO, "By", true)
	network.unsigned(m.GetNetworkRxBytes(), direction, nginxsemconv.DirectionIn)
	network.unsigned(m.GetNetworkTxBytes(), direction, nginxsemconv.DirectionOut)
	speed := s.gauge(nginxsemconv.MetricNetworkRate, "By/s")
	speed.float(float64(m.GetNetworkRxRate()), direction, nginxsemconv.DirectionIn)
	speed.float(float64(m.GetNetworkTxRate()), direction, nginxsemconv.DirectionOut)
}

// ratio makes a fraction of a percentage, without the digits that a float does not have.
func ratio(percent float32) float64 { return math.Round(float64(percent)*1e4) / 1e6 }
