package translate

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// SampleCounts is what samples have become and what was left out of them.
type SampleCounts struct {
	Points, RefusedValues int
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
	latency  distribution
}

// maxMetrics is more than a sample has.
const maxMetrics = 16

func (c *collection) add(received *Sample) {
	if received.refused {
		c.counts.RefusedValues++
	}
	values, to := &received.values, c.scope(received.resource).Metrics()
	s := sample{slab: c.slab, time: uint64(received.at), counts: &c.counts, distribution: &c.latency}
	s.slab.OpenMetrics(maxMetrics)
	s.nginx(values)
	if received.rated {
		s.open()
		s.float(received.rate, nil)
		s.slab.Gauge(nginxsemconv.MetricRequestRate, "{request}/s")
	}
	if values.HasResponses {
		s.responses(&values.Responses)
	}
	if values.HasSystem {
		s.system(&values.System)
	}
	pdataslab.Metrics(to, s.slab.CloseMetrics())
	s.latency(to, values.Latencies)
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

// sample writes the data points of one message.
type sample struct {
	slab         *pdataslab.Slab
	time         uint64
	counts       *SampleCounts
	distribution *distribution
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

func (s *sample) nginx(m *wire.Values) {
	s.count(nginxsemconv.MetricRequests, "requests", m.TotalRequests)
	s.count(nginxsemconv.MetricConnectionsAccepted, "connections", m.AcceptedConnections)
	s.count(nginxsemconv.MetricConnectionsHandled, "connections", m.HandledConnections)
	s.open()
	s.int(m.ActiveConnections, stateActive)
	s.int(m.Reading, stateReading)
	s.int(m.Writing, stateWriting)
	s.int(m.Waiting, stateWaiting)
	s.slab.Sum(nginxsemconv.MetricConnectionsCurrent, "connections", false)
	s.open()
	s.int(m.BytesIn, directionIn)
	s.int(m.BytesOut, directionOut)
	s.slab.Sum(nginxsemconv.MetricRequestIO, "By", true)
}

func (s *sample) responses(m *wire.Responses) {
	s.open()
	s.int(m.Class2xx, class2xx)
	s.int(m.Class3xx, class3xx)
	s.int(m.Class4xx, class4xx)
	s.int(m.Class5xx, class5xx)
	s.slab.Sum(nginxsemconv.MetricResponseStatus, "responses", true)
}

func (s *sample) system(m *wire.System) {
	s.open()
	s.float(ratio(m.CPU), nil)
	s.float(ratio(m.CPUUser), modeUser)
	s.float(ratio(m.CPUSystem), modeSystem)
	s.float(ratio(m.CPUIOWait), modeIOWait)
	s.slab.Gauge(nginxsemconv.MetricCPUUtilization, "1")
	s.memory(m)
	s.open()
	s.unsigned(m.NetworkRx, networkIn)
	s.unsigned(m.NetworkTx, networkOut)
	s.slab.Sum(nginxsemconv.MetricNetworkIO, "By", true)
	s.open()
	s.float(float64(m.NetworkRxRate), networkIn)
	s.float(float64(m.NetworkTxRate), networkOut)
	s.slab.Gauge(nginxsemconv.MetricNetworkRate, "By/s")
}

func (s *sample) memory(m *wire.System) {
	s.open()
	s.unsigned(m.MemoryUsed, memoryUsed)
	s.slab.Sum(nginxsemconv.MetricMemoryUsage, "By", false)
	s.open()
	s.unsigned(m.MemoryTotal, nil)
	s.slab.Sum(nginxsemconv.MetricMemoryLimit, "By", false)
	s.open()
	s.float(ratio(m.Memory), nil)
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
