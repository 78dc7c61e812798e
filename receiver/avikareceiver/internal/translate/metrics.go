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

// Sample is what an agent has measured, as it was received. Until it is delivered it takes a tenth of the memory of the metrics
// that are made of it.
type Sample struct {
	resource *Resource
	message  *agentv1.NginxMetrics
	at       pcommon.Timestamp
	// rate is requests per second since the sample before, when rated.
	rate  float64
	rated bool
	// refused says that the time of the message cannot be true.
	refused bool
}

// SampleCounts is what samples have become and what was left out of them.
type SampleCounts struct {
	Points, RefusedValues int
}

// Sample takes a message that was queued at a Unix time and received at another, in Unix nanoseconds. The message must not change
// any more.
func (a *Agent) Sample(message *agentv1.NginxMetrics, queued, received int64) Sample {
	s := Sample{resource: a.sampleResource(message), message: message, at: pcommon.Timestamp(received)}
	if queued > 0 && queued <= maxUnix {
		s.at = pcommon.Timestamp(queued) * 1e9
	} else {
		s.refused = true
	}
	s.rate, s.rated = a.rate.next(queued, message.GetTotalRequests(), received/1e9)
	return s
}

// Metrics makes metrics of the samples of streams; without points they are the zero value.
func (t *Translator) Metrics(streams ...[]Sample) (pmetric.Metrics, SampleCounts) {
	c := collection{settings: t.settings, slab: &t.slab}
	for _, samples := range streams {
		for i := range samples {
			c.add(&samples[i])
		}
	}
	if c.resource != nil {
		c.metrics.MarkReadOnly()
	}
	return c.metrics, c.counts
}

// collection is metrics that are being made.
type collection struct {
	settings *Settings
	slab     *pdataslab.Slab
	metrics  pmetric.Metrics
	resource *Resource
	counts   SampleCounts
}

// maxMetrics is more than a sample has.
const maxMetrics = 16

func (c *collection) add(received *Sample) {
	if received.refused {
		c.counts.RefusedValues++
	}
	message, to := received.message, c.scope(received.resource).Metrics()
	s := sample{slab: c.slab, time: uint64(received.at), counts: &c.counts}
	s.slab.OpenMetrics(maxMetrics)
	s.nginx(message)
	if received.rated {
		s.open()
		s.float(received.rate, nil)
		s.slab.Gauge(nginxsemconv.MetricRequestRate, "{request}/s")
	}
	s.responses(message.GetHttpStatus())
	s.system(message.GetSystem())
	pdataslab.Metrics(to, s.slab.CloseMetrics())
	s.latency(to, message.GetLatencyDistribution())
}

// scope returns the scope of a new sample.
func (c *collection) scope(described *Resource) pmetric.ScopeMetrics {
	if c.resource == nil {
		c.metrics = pmetric.NewMetrics()
	}
	resources := c.metrics.ResourceMetrics()
	if described != c.resource {
		c.resource = described
		resource := resources.AppendEmpty()
		resource.SetSchemaUrl(nginxsemconv.SchemaURL)
		pdataslab.Attributes(resource.Resource().Attributes(), described.attributes)
	}
	scope := resources.At(resources.Len() - 1).ScopeMetrics().AppendEmpty()
	scope.SetSchemaUrl(nginxsemconv.SchemaURL)
	c.settings.nameScope(scope.Scope())
	return scope
}

// sampleResource is the agent's resource, with the labels of a sample on top when it has any.
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
// order. Samples of the same second count for the next. now tells a sample of the future, after which the agent's clock was put right.
func (r *rate) next(queued, total, now int64) (float64, bool) {
	elapsed, grown, known := queued-r.queued, total-r.total, r.queued > 0 && r.queued <= now+maxAhead
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
	slab   *pdataslab.Slab
	time   uint64
	counts *SampleCounts
}

// maxPoints is how many points a metric of a sample has at most.
const maxPoints = 4

// open begins the points of a metric.
func (s *sample) open() { s.slab.OpenPoints(maxPoints) }

// int adds a count; a negative one is refused.
func (s *sample) int(n int64, attributes []pdataslab.KeyValue) {
	if n < 0 {
		s.counts.RefusedValues++
		return
	}
	s.slab.PutInt(s.time, attributes, n)
	s.counts.Points++
}

// unsigned adds a count that may be too large for OpenTelemetry.
func (s *sample) unsigned(n uint64, attributes []pdataslab.KeyValue) {
	if n > math.MaxInt64 {
		s.counts.RefusedValues++
		return
	}
	s.int(int64(n), attributes)
}

// float adds a number; one that is negative or not finite is refused.
func (s *sample) float(f float64, attributes []pdataslab.KeyValue) {
	if !(f >= 0) || math.IsInf(f, 1) {
		s.counts.RefusedValues++
		return
	}
	s.slab.PutFloat(s.time, attributes, f)
	s.counts.Points++
}

// count adds a monotonic sum of one point.
func (s *sample) count(name, unit string, n int64) {
	s.open()
	s.int(n, nil)
	s.slab.Sum(name, unit, true)
}

func (s *sample) nginx(m *agentv1.NginxMetrics) {
	s.count(nginxsemconv.MetricRequests, "requests", m.GetTotalRequests())
	s.count(nginxsemconv.MetricConnectionsAccepted, "connections", m.GetAcceptedConnections())
	s.count(nginxsemconv.MetricConnectionsHandled, "connections", m.GetHandledConnections())
	s.open()
	s.int(m.GetActiveConnections(), stateActive)
	s.int(m.GetReading(), stateReading)
	s.int(m.GetWriting(), stateWriting)
	s.int(m.GetWaiting(), stateWaiting)
	s.slab.Sum(nginxsemconv.MetricConnectionsCurrent, "connections", false)
	s.open()
	s.int(m.GetBytesInTotal(), directionIn)
	s.int(m.GetBytesOutTotal(), directionOut)
	s.slab.Sum(nginxsemconv.MetricRequestIO, "By", true)
}

func (s *sample) responses(m *agentv1.HttpStatusMetrics) {
	if m == nil {
		return
	}
	s.open()
	s.int(m.GetStatus_2XxCount(), class2xx)
	s.int(m.GetStatus_3XxCount(), class3xx)
	s.int(m.GetStatus_4XxCount(), class4xx)
	s.int(m.GetStatus_5XxCount(), class5xx)
	s.slab.Sum(nginxsemconv.MetricResponseStatus, "responses", true)
}

func (s *sample) system(m *agentv1.SystemMetrics) {
	if m == nil {
		return
	}
	s.open()
	s.float(ratio(m.GetCpuUsagePercent()), nil)
	s.float(ratio(m.GetCpuUserPercent()), modeUser)
	s.float(ratio(m.GetCpuSystemPercent()), modeSystem)
	s.float(ratio(m.GetCpuIowaitPercent()), modeIOWait)
	s.slab.Gauge(nginxsemconv.MetricCPUUtilization, "1")
	s.memory(m)
	s.open()
	s.unsigned(m.GetNetworkRxBytes(), networkIn)
	s.unsigned(m.GetNetworkTxBytes(), networkOut)
	s.slab.Sum(nginxsemconv.MetricNetworkIO, "By", true)
	s.open()
	s.float(float64(m.GetNetworkRxRate()), networkIn)
	s.float(float64(m.GetNetworkTxRate()), networkOut)
	s.slab.Gauge(nginxsemconv.MetricNetworkRate, "By/s")
}

func (s *sample) memory(m *agentv1.SystemMetrics) {
	s.open()
	s.unsigned(m.GetMemoryUsedBytes(), memoryUsed)
	s.slab.Sum(nginxsemconv.MetricMemoryUsage, "By", false)
	s.open()
	s.unsigned(m.GetMemoryTotalBytes(), nil)
	s.slab.Sum(nginxsemconv.MetricMemoryLimit, "By", false)
	s.open()
	s.float(ratio(m.GetMemoryUsagePercent()), nil)
	s.slab.Gauge(nginxsemconv.MetricMemoryUtilization, "1")
}

// ratio makes a fraction of a percentage, without the digits that a float does not have.
func ratio(percent float32) float64 { return math.Round(float64(percent)*1e4) / 1e6 }

// The attributes of points, which all samples share.
var (
	stateActive  = only(nginxsemconv.ConnectionState, "active")
	stateReading = only(nginxsemconv.ConnectionState, "reading")
	stateWriting = only(nginxsemconv.ConnectionState, "writing")
	stateWaiting = only(nginxsemconv.ConnectionState, "waiting")
	directionIn  = only(nginxsemconv.IODirection, nginxsemconv.DirectionIn)
	directionOut = only(nginxsemconv.IODirection, nginxsemconv.DirectionOut)
	class2xx     = only(nginxsemconv.StatusRange, "2xx")
	class3xx     = only(nginxsemconv.StatusRange, "3xx")
	class4xx     = only(nginxsemconv.StatusRange, "4xx")
	class5xx     = only(nginxsemconv.StatusRange, "5xx")
	modeUser     = only("cpu.mode", "user")
	modeSystem   = only("cpu.mode", "system")
	modeIOWait   = only("cpu.mode", "iowait")
	memoryUsed   = only("system.memory.state", "used")
	networkIn    = only(nginxsemconv.NetworkDirection, nginxsemconv.DirectionIn)
	networkOut   = only(nginxsemconv.NetworkDirection, nginxsemconv.DirectionOut)
)

func only(key, value string) []pdataslab.KeyValue {
	constants.Open(1)
	constants.Put(key, constants.String(value))
	return constants.Close()
}
