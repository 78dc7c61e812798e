package translate

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

func described(t *testing.T, agent *Agent) map[string]any {
	t.Helper()
	logs, _, _ := NewTranslator(agent.settings, false).Translate(Batch{[]Entry{encoded(t, &agentv1.LogEntry{})}, []Segment{{Resource: agent.Resource()}}})
	return logs.ResourceLogs().At(0).Resource().Attributes().AsRaw()
}

func TestResource(t *testing.T) {
	agent := NewAgent(&allSettings, "web-01-10-0-2-15")
	want := map[string]any{"service.name": "nginx", "service.instance.id": "web-01-10-0-2-15", "avika.agent.id": "web-01-10-0-2-15"}
	require.Equal(t, want, described(t, agent), "before any heartbeat")

	agent.Heartbeat(10, &agentv1.Heartbeat{Hostname: "web-01", Version: "unknown"})
	want["host.name"] = "web-01"
	require.Equal(t, want, described(t, agent), "the first heartbeat does not know the version")

	agent.Heartbeat(10, &agentv1.Heartbeat{Hostname: "web-01", Version: "1.27.0", IsPod: true, PodIp: "10.0.2.15", Labels: map[string]string{"project": "shop", "environment": "prod", "zone": "a", "empty": ""}})
	for key, value := range map[string]string{"service.version": "1.27.0", "service.namespace": "shop", "deployment.environment.name": "prod", "avika.label.zone": "a", "k8s.pod.name": "web-01", "k8s.pod.ip": "10.0.2.15"} {
		want[key] = value
	}
	require.Equal(t, want, described(t, agent))

	agent.Heartbeat(9, &agentv1.Heartbeat{Hostname: "old", Version: "1.0.0"})
	require.Equal(t, want, described(t, agent), "a replayed heartbeat is older")

	agent.Heartbeat(11, &agentv1.Heartbeat{Hostname: "web-01", Version: "unknown"})
	for _, key := range []string{"service.namespace", "deployment.environment.name", "avika.label.zone", "k8s.pod.name", "k8s.pod.ip"} {
		delete(want, key)
	}
	require.Equal(t, want, described(t, agent), "a known version stays")
}

// A clock that was an hour ahead must not keep the truth out for an hour.
func TestAClockThatIsPutRight(t *testing.T) {
	now := time.Now().Unix()
	agent := NewAgent(&allSettings, "a")
	agent.Heartbeat(now+3600, &agentv1.Heartbeat{Hostname: "h", Version: "1.26.0"})
	require.True(t, agent.Newest(now))
	agent.Heartbeat(now, &agentv1.Heartbeat{Hostname: "h", Version: "1.27.0"})
	require.Equal(t, "1.27.0", described(t, agent)["service.version"])
	agent.Unchanged(now + 3600)
	require.True(t, agent.Newest(now+1), "heartbeats that say nothing new tell the time too")

	var r rate
	for _, step := range []struct {
		queued, total int64
		ok            bool
	}{{now + 3600, 100, false}, {now, 200, false}, {now + 1, 300, true}, {now, 250, false}} {
		_, ok := r.next(step.queued, step.total, now)
		require.Equal(t, step.ok, ok)
	}
}

func TestSameFactsKeepTheResource(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	beat := func(uptime float64) *agentv1.Heartbeat {
		return &agentv1.Heartbeat{Hostname: "h", Version: "1", Uptime: uptime, Labels: map[string]string{"a": "b"}}
	}
	agent.Heartbeat(1, beat(1))
	before := agent.Resource()
	agent.Heartbeat(2, beat(2))
	require.Same(t, before, agent.Resource())
}

func TestLabelsAreLimited(t *testing.T) {
	settings := Settings{Logs: true, Labels: 2}
	agent := NewAgent(&settings, "a")
	message := &agentv1.Heartbeat{Labels: map[string]string{"c": "3", "a": "1", "b": "2", "d": "4"}}
	require.Equal(t, 2, agent.Heartbeat(1, message))
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, message.Labels)
	require.Equal(t, map[string]any{"service.name": "nginx", "service.instance.id": "a", "avika.agent.id": "a", "avika.label.a": "1", "avika.label.b": "2"}, described(t, agent))
}

func TestNoLabelsAtAll(t *testing.T) {
	settings := Settings{Logs: true}
	require.Equal(t, 1, NewAgent(&settings, "a").Heartbeat(1, &agentv1.Heartbeat{Labels: map[string]string{"a": "1"}}))
}

func TestAMillionLabels(t *testing.T) {
	labels := make(map[string]string, 1_000_000)
	for i := range 1_000_000 {
		labels[fmt.Sprint(i)] = "x"
	}
	agent := NewAgent(&allSettings, "a")
	require.Equal(t, 1_000_000-64, agent.Heartbeat(1, &agentv1.Heartbeat{Labels: labels}))
	require.Len(t, described(t, agent), 3+64)
}

// points flattens metrics into "name{attributes}" and values.
func points(t *testing.T, metrics pmetric.Metrics) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				addPoints(found, metric)
			}
		}
	}
	return found
}

func addPoints(found map[string]any, metric pmetric.Metric) {
	var list pmetric.NumberDataPointSlice
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		list = metric.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		list = metric.Sum().DataPoints()
	default:
		point := metric.Histogram().DataPoints().At(0)
		found[metric.Name()] = [2]any{point.ExplicitBounds().AsRaw(), point.BucketCounts().AsRaw()}
		return
	}
	for _, point := range list.All() {
		key := metric.Name()
		for name, value := range point.Attributes().All() {
			key += "{" + name + "=" + value.Str() + "}"
		}
		if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
			found[key] = point.IntValue()
		} else {
			found[key] = point.DoubleValue()
		}
	}
}

func fullSample() *agentv1.NginxMetrics {
	return &agentv1.NginxMetrics{
		ActiveConnections: 1, AcceptedConnections: 2, HandledConnections: 3, TotalRequests: 4, Reading: 5, Writing: 6, Waiting: 7, RequestsPerSecond: 99,
		System: &agentv1.SystemMetrics{
			CpuUsagePercent: 12.3, MemoryUsagePercent: 45.6, MemoryTotalBytes: 8, MemoryUsedBytes: 9, NetworkRxBytes: 10, NetworkTxBytes: 11,
			NetworkRxRate: 12.5, NetworkTxRate: 13.5, CpuUserPercent: 1, CpuSystemPercent: 2, CpuIowaitPercent: 3,
		},
		HttpStatus:   &agentv1.HttpStatusMetrics{Status_2XxCount: 14, Status_3XxCount: 15, Status_4XxCount: 16, Status_5XxCount: 17},
		BytesInTotal: 18, BytesOutTotal: 19,
		LatencyDistribution: []*agentv1.HistogramBucket{{Le: 5, Count: 1}, {Le: 12.5, Count: 3}, {Le: float32(math.Inf(1)), Count: 4}},
	}
}

func fullPoints() map[string]any {
	return map[string]any{
		"nginx.requests": int64(4), "nginx.connections_accepted": int64(2), "nginx.connections_handled": int64(3),
		"nginx.connections_current{state=active}": int64(1), "nginx.connections_current{state=reading}": int64(5),
		"nginx.connections_current{state=writing}": int64(6), "nginx.connections_current{state=waiting}": int64(7),
		"nginx.http.request.io{nginx.io.direction=receive}": int64(18), "nginx.http.request.io{nginx.io.direction=transmit}": int64(19),
		"nginx.http.response.status{nginx.status_range=2xx}": int64(14), "nginx.http.response.status{nginx.status_range=3xx}": int64(15),
		"nginx.http.response.status{nginx.status_range=4xx}": int64(16), "nginx.http.response.status{nginx.status_range=5xx}": int64(17),
		"system.cpu.utilization": 0.123, "system.cpu.utilization{cpu.mode=user}": 0.01, "system.cpu.utilization{cpu.mode=system}": 0.02,
		"system.cpu.utilization{cpu.mode=iowait}": 0.03, "system.memory.usage{system.memory.state=used}": int64(9), "system.memory.limit": int64(8),
		"system.memory.utilization": 0.456, "system.network.io{network.io.direction=receive}": int64(10), "system.network.io{network.io.direction=transmit}": int64(11),
		"avika.system.network.rate{network.io.direction=receive}": 12.5, "avika.system.network.rate{network.io.direction=transmit}": 13.5,
		"http.server.request.duration": [2]any{[]float64{0.005, 0.0125}, []uint64{1, 2, 1}},
	}
}

// sampling is a stream's samples.
type sampling struct {
	agent *Agent
	list  []Sample
}

func (s *sampling) add(message *agentv1.NginxMetrics, queued, received int64) {
	encoded, err := proto.Marshal(message)
	var decoded wire.Metrics
	if err != nil || decoded.Unmarshal(encoded) != nil {
		panic("sample does not encode")
	}
	s.list = s.agent.AddSample(s.list, &decoded, queued, received)
}

func (s *sampling) take() (pmetric.Metrics, SampleCounts) {
	return NewTranslator(&allSettings, false).Metrics(s.list)
}

func TestSample(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	samples := sampling{agent: agent}
	samples.add(fullSample(), testQueued, testReceived)
	metrics, counts := samples.take()
	require.Equal(t, fullPoints(), points(t, metrics))
	require.Equal(t, SampleCounts{Points: metrics.DataPointCount()}, counts)
	scope := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0)
	require.EqualValues(t, testQueued*1e9, scope.Metrics().At(0).Sum().DataPoints().At(0).Timestamp())
	require.True(t, scope.Metrics().At(0).Sum().IsMonotonic())
	require.Equal(t, pmetric.AggregationTemporalityCumulative, scope.Metrics().At(0).Sum().AggregationTemporality())
	require.False(t, scope.Metrics().At(3).Sum().IsMonotonic())
	metrics, counts = NewTranslator(&allSettings, false).Metrics()
	require.Equal(t, pmetric.Metrics{}, metrics)
	require.Zero(t, counts)
}

func TestUnitsAndKindsOfMetrics(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	samples := sampling{agent: agent}
	samples.add(fullSample(), testQueued, testReceived)
	later := fullSample()
	later.TotalRequests += 10
	samples.add(later, testQueued+1, testReceived)
	metrics, _ := samples.take()
	resource := metrics.ResourceMetrics().At(0)
	require.Equal(t, schema, resource.SchemaUrl())
	require.Equal(t, "a", resource.Resource().Attributes().AsRaw()["service.instance.id"])
	found := map[string]string{}
	for _, scope := range resource.ScopeMetrics().All() {
		require.Equal(t, schema, scope.SchemaUrl())
		for _, metric := range scope.Metrics().All() {
			kind := metric.Type().String()
			if metric.Type() == pmetric.MetricTypeSum && metric.Sum().IsMonotonic() {
				kind = "Counter"
			}
			found[metric.Name()] = kind + " " + metric.Unit()
		}
	}
	require.Equal(t, map[string]string{
		"nginx.requests": "Counter requests", "nginx.connections_accepted": "Counter connections", "nginx.connections_handled": "Counter connections",
		"nginx.connections_current": "Sum connections", "nginx.http.response.status": "Counter responses", "nginx.http.request.io": "Counter By",
		"nginx.request.rate": "Gauge {request}/s", "http.server.request.duration": "Histogram s", "system.cpu.utilization": "Gauge 1",
		"system.memory.usage": "Sum By", "system.memory.limit": "Sum By", "system.memory.utilization": "Gauge 1", "system.network.io": "Counter By",
		"avika.system.network.rate": "Gauge By/s",
	}, found)
}

func TestOneScopePerSample(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	samples := sampling{agent: agent}
	samples.add(&agentv1.NginxMetrics{}, 1, testReceived)
	samples.add(&agentv1.NginxMetrics{}, 2, testReceived)
	samples.add(&agentv1.NginxMetrics{Labels: map[string]string{"zone": "b"}}, 3, testReceived)
	metrics, _ := samples.take()
	require.Equal(t, 2, metrics.ResourceMetrics().Len())
	require.Equal(t, 2, metrics.ResourceMetrics().At(0).ScopeMetrics().Len())
	zone, ok := metrics.ResourceMetrics().At(1).Resource().Attributes().Get("avika.label.zone")
	require.True(t, ok)
	require.Equal(t, "b", zone.Str())
}

// A resource that was made for the labels of samples is used until these or the agent's facts change.
func TestLabelsOfSamples(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	agent.Heartbeat(1, &agentv1.Heartbeat{Hostname: "h", Labels: map[string]string{"zone": "a"}})
	samples := sampling{agent: agent}
	labelled := func(labels, ofSystem map[string]string) *Resource {
		samples.add(&agentv1.NginxMetrics{Labels: labels, System: &agentv1.SystemMetrics{Labels: ofSystem}}, 2, testReceived)
		return samples.list[len(samples.list)-1].resource
	}
	a, b := map[string]string{"zone": "a"}, map[string]string{"zone": "b", "rack": "7"}
	require.Same(t, agent.Resource(), labelled(nil, nil))
	require.Same(t, agent.Resource(), labelled(a, nil), "nothing that is not known")
	other := labelled(b, nil)
	require.NotSame(t, agent.Resource(), other)
	require.Same(t, other, labelled(b, nil))
	require.NotSame(t, other, labelled(b, a))
	metrics, _ := samples.take()
	zone, _ := metrics.ResourceMetrics().At(metrics.ResourceMetrics().Len() - 1).Resource().Attributes().Get("avika.label.zone")
	require.Equal(t, "a", zone.Str(), "the system's label counts")
	agent.Heartbeat(3, &agentv1.Heartbeat{Hostname: "i", Labels: map[string]string{"zone": "a"}})
	moved := labelled(b, a)
	require.NotSame(t, other, moved)
	samples.list = samples.list[len(samples.list)-1:]
	metrics, _ = samples.take()
	require.Equal(t, "i", metrics.ResourceMetrics().At(0).Resource().Attributes().AsRaw()["host.name"])
}

// The memory of samples that were delivered is used for others, whose resources and latencies are their own.
func TestSamplesUseTheirMemoryAgain(t *testing.T) {
	samples := sampling{agent: NewAgent(&allSettings, "a")}
	samples.add(fullSample(), testQueued, testReceived)
	Forget(samples.list)
	require.Nil(t, samples.list[0].resource)
	samples.list = samples.list[:0]
	samples.add(&agentv1.NginxMetrics{TotalRequests: 7}, testQueued, testReceived)
	metrics, counts := samples.take()
	require.Equal(t, SampleCounts{Points: 9}, counts)
	require.NotContains(t, points(t, metrics), "http.server.request.duration")
	require.Equal(t, int64(7), points(t, metrics)["nginx.requests"])
}

func TestRate(t *testing.T) {
	var r rate
	for _, step := range []struct {
		name          string
		queued, total int64
		want          float64
		ok            bool
	}{
		{"the first has none", 100, 1000, 0, false},
		{"a second later", 101, 1050, 50, true},
		{"the same second counts for the next", 101, 1060, 0, false},
		{"two seconds later", 103, 1250, 100, true},
		{"an older, replayed one", 50, 10, 0, false},
		{"NGINX was restarted", 104, 5, 0, false},
		{"and goes on", 105, 25, 20, true},
		{"no time", 0, 30, 0, false},
	} {
		got, ok := r.next(step.queued, step.total, 1000)
		require.Equal(t, step.ok, ok, step.name)
		require.InDelta(t, step.want, got, 1e-9, step.name)
	}
}

func TestRateIsAPointOfTheSample(t *testing.T) {
	agent := NewAgent(&allSettings, "a")
	samples := sampling{agent: agent}
	samples.add(&agentv1.NginxMetrics{TotalRequests: 10, RequestsPerSecond: 1000}, 1, testReceived)
	samples.add(&agentv1.NginxMetrics{TotalRequests: 40, RequestsPerSecond: 1000}, 3, testReceived)
	metrics, _ := samples.take()
	require.InDelta(t, 15.0, points(t, metrics)["nginx.request.rate"], 1e-9)
}

func TestImpossibleMetricsAreLeftOut(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	agent := NewAgent(&allSettings, "a")
	samples := sampling{agent: agent}
	samples.add(&agentv1.NginxMetrics{
		TotalRequests: -1, ActiveConnections: math.MinInt64, BytesInTotal: math.MaxInt64,
		System:              &agentv1.SystemMetrics{CpuUsagePercent: nan, CpuUserPercent: inf, CpuSystemPercent: -1, MemoryTotalBytes: math.MaxUint64, NetworkRxRate: nan},
		LatencyDistribution: []*agentv1.HistogramBucket{{Le: nan, Count: 1}},
	}, math.MaxInt64, testReceived)
	metrics, counts := samples.take()
	require.Equal(t, 9, counts.RefusedValues)
	found := points(t, metrics)
	for _, key := range []string{"nginx.requests", "nginx.connections_current{state=active}", "system.cpu.utilization", "system.cpu.utilization{cpu.mode=user}", "system.memory.limit", "http.server.request.duration"} {
		require.NotContains(t, found, key)
	}
	require.Equal(t, int64(math.MaxInt64), found["nginx.http.request.io{nginx.io.direction=receive}"])
	require.EqualValues(t, testReceived, metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(1).Sum().DataPoints().At(0).Timestamp())
}

func TestLatency(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		name    string
		buckets []*agentv1.HistogramBucket
		want    any
	}{
		{"counts that include the lower buckets", []*agentv1.HistogramBucket{{Le: 1, Count: 1}, {Le: 2, Count: 1}, {Le: inf, Count: 5}}, [2]any{[]float64{0.001, 0.002}, []uint64{1, 0, 4}}},
		{"counts that stand for themselves", []*agentv1.HistogramBucket{{Le: 1, Count: 5}, {Le: 2, Count: 2}}, [2]any{[]float64{0.001, 0.002}, []uint64{5, 2, 0}}},
		{"bounds that fall", []*agentv1.HistogramBucket{{Le: 2}, {Le: 1}}, nil},
		{"negative counts", []*agentv1.HistogramBucket{{Le: 2, Count: -1}}, nil},
		{"too many", make([]*agentv1.HistogramBucket, wire.MaxLatencies+1), nil},
		{"none", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			agent := NewAgent(&allSettings, "a")
			samples := sampling{agent: agent}
			samples.add(&agentv1.NginxMetrics{LatencyDistribution: test.buckets}, 1, testReceived)
			metrics, _ := samples.take()
			require.Equal(t, test.want, points(t, metrics)["http.server.request.duration"])
		})
	}
}
