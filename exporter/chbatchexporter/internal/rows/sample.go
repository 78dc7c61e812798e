package rows

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

// Sample is what one message of an agent reported: one wide row of nginx_metrics, of system_metrics, or of both.
type Sample struct {
	Time   pcommon.Timestamp
	Nginx  NginxSample
	System SystemSample
	// HasNginx and HasSystem tell which of them has a value.
	HasNginx, HasSystem bool
}

// NginxSample is a row of nginx_metrics.
type NginxSample struct {
	Active, Reading, Writing, Waiting uint32
	Accepted, Handled, Requests       uint64
	Rate                              float64
	Status2xx, Status3xx              uint64
	Status4xx, Status5xx              uint64
	BytesIn, BytesOut                 uint64
}

// SystemSample is a row of system_metrics; percentages are 0 to 100.
type SystemSample struct {
	CPU, CPUUser, CPUSystem, CPUIOWait, Memory float32
	MemoryTotal, MemoryUsed, Rx, Tx            uint64
	RxRate, TxRate                             float32
}

// Collect puts the data points of an agent's metrics together to samples by their time, and appends these to an empty list. It calls rest with
// the metrics that are no part of a sample.
func Collect(samples []Sample, metrics pmetric.MetricSlice, rest func(pmetric.Metric)) []Sample {
	for i := range metrics.Len() {
		m := metrics.At(i)
		points, ok := numbers(m)
		set := setters[m.Name()]
		if !ok || set == nil {
			rest(m)
			continue
		}
		for j := range points.Len() {
			p := points.At(j)
			set(sampleAt(&samples, p.Timestamp()), p)
		}
	}
	return samples
}

func sampleAt(samples *[]Sample, t pcommon.Timestamp) *Sample {
	for i := range *samples {
		if (*samples)[i].Time == t {
			return &(*samples)[i]
		}
	}
	*samples = append(*samples, Sample{Time: t})
	return &(*samples)[len(*samples)-1]
}

func numbers(m pmetric.Metric) (pmetric.NumberDataPointSlice, bool) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints(), true
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints(), true
	}
	return pmetric.NumberDataPointSlice{}, false
}

// label is an attribute of a data point.
func label(p pmetric.NumberDataPoint, key string) string {
	if v, ok := p.Attributes().Get(key); ok {
		return v.Str()
	}
	return ""
}

func count(p pmetric.NumberDataPoint) uint64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return clamp(p.IntValue(), math.MaxUint64)
	}
	return uint64(max(p.DoubleValue(), 0))
}

func count32(p pmetric.NumberDataPoint) uint32 { return uint32(min(count(p), math.MaxUint32)) }

func percent(p pmetric.NumberDataPoint) float32 { return float32(number(p) * 100) }

var setters = map[string]func(*Sample, pmetric.NumberDataPoint){
	nginxsemconv.MetricRequests:            nginx(func(s *NginxSample, p pmetric.NumberDataPoint) { s.Requests = count(p) }),
	nginxsemconv.MetricConnectionsAccepted: nginx(func(s *NginxSample, p pmetric.NumberDataPoint) { s.Accepted = count(p) }),
	nginxsemconv.MetricConnectionsHandled:  nginx(func(s *NginxSample, p pmetric.NumberDataPoint) { s.Handled = count(p) }),
	nginxsemconv.MetricRequestRate:         nginx(func(s *NginxSample, p pmetric.NumberDataPoint) { s.Rate = number(p) }),
	nginxsemconv.MetricConnectionsCurrent:  nginx(setConnections),
	nginxsemconv.MetricResponseStatus:      nginx(setStatus),
	nginxsemconv.MetricRequestIO:           nginx(setIO),
	nginxsemconv.MetricMemoryUsage:         system(func(s *SystemSample, p pmetric.NumberDataPoint) { s.MemoryUsed = count(p) }),
	nginxsemconv.MetricMemoryLimit:         system(func(s *SystemSample, p pmetric.NumberDataPoint) { s.MemoryTotal = count(p) }),
	nginxsemconv.MetricMemoryUtilization:   system(func(s *SystemSample, p pmetric.NumberDataPoint) { s.Memory = percent(p) }),
	nginxsemconv.MetricCPUUtilization:      system(setCPU),
	nginxsemconv.MetricNetworkIO:           system(setNetwork),
	nginxsemconv.MetricNetworkRate:         system(setNetworkRate),
}

func nginx(set func(*NginxSample, pmetric.NumberDataPoint)) func(*Sample, pmetric.NumberDataPoint) {
	return func(s *Sample, p pmetric.NumberDataPoint) {
		s.HasNginx = true
		set(&s.Nginx, p)
	}
}

func system(set func(*SystemSample, pmetric.NumberDataPoint)) func(*Sample, pmetric.NumberDataPoint) {
	return func(s *Sample, p pmetric.NumberDataPoint) {
		s.HasSystem = true
		set(&s.System, p)
	}
}

func setConnections(s *NginxSample, p pmetric.NumberDataPoint) {
	switch label(p, nginxsemconv.ConnectionState) {
	case "active":
		s.Active = count32(p)
	case "reading":
		s.Reading = count32(p)
	case "writing":
		s.Writing = count32(p)
	case "waiting":
		s.Waiting = count32(p)
	}
}

func setStatus(s *NginxSample, p pmetric.NumberDataPoint) {
	switch label(p, nginxsemconv.StatusRange) {
	case "2xx":
		s.Status2xx = count(p)
	case "3xx":
		s.Status3xx = count(p)
	case "4xx":
		s.Status4xx = count(p)
	case "5xx":
		s.Status5xx = count(p)
	}
}

func setIO(s *NginxSample, p pmetric.NumberDataPoint) {
	if label(p, nginxsemconv.IODirection) == nginxsemconv.DirectionOut {
		s.BytesOut = count(p)
		return
	}
	s.BytesIn = count(p)
}

func setCPU(s *SystemSample, p pmetric.NumberDataPoint) {
	switch label(p, "cpu.mode") {
	case "":
		s.CPU = percent(p)
	case "user":
		s.CPUUser = percent(p)
	case "system":
		s.CPUSystem = percent(p)
	case "iowait":
		s.CPUIOWait = percent(p)
	}
}

func setNetwork(s *SystemSample, p pmetric.NumberDataPoint) {
	if label(p, nginxsemconv.NetworkDirection) == nginxsemconv.DirectionOut {
		s.Tx = count(p)
		return
	}
	s.Rx = count(p)
}

func setNetworkRate(s *SystemSample, p pmetric.NumberDataPoint) {
	if label(p, nginxsemconv.NetworkDirection) == nginxsemconv.DirectionOut {
		s.TxRate = float32(number(p))
		return
	}
	s.RxRate = float32(number(p))
}
