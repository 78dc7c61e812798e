package wire

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Metrics is a NginxMetrics message. Samples come from every agent every second, so that reading one allocates nothing but room for its latencies,
// and that only when the message before had fewer. What nobody reads is left out.
type Metrics struct {
	Values
	// LabelsDigest is a number that messages with the same labels share, in whatever order they come. It is 0 without labels, and good for
	// this process only.
	LabelsDigest uint64

	encoded []byte
}

// Values are what a sample has measured. They have nothing of the message they were read from.
type Values struct {
	ActiveConnections   int64
	AcceptedConnections int64
	HandledConnections  int64
	TotalRequests       int64
	Reading             int64
	Writing             int64
	Waiting             int64
	BytesIn             int64
	BytesOut            int64

	// System and Responses are there only if the message has them.
	System       System
	Responses    Responses
	HasSystem    bool
	HasResponses bool

	// Latencies are at most MaxLatencies and one more, which says that there are too many.
	Latencies []Bucket
}

// Copy replaces v by other values, and uses its own memory for latencies again.
func (v *Values) Copy(from *Values) {
	latencies := append(v.Latencies[:0], from.Latencies...)
	*v = *from
	v.Latencies = latencies
}

// MaxLatencies is far more than any agent has.
const MaxLatencies = 512

// System is a SystemMetrics message without its labels.
type System struct {
	MemoryTotal uint64
	MemoryUsed  uint64
	NetworkRx   uint64
	NetworkTx   uint64

	// Percentages.
	CPU       float32
	CPUUser   float32
	CPUSystem float32
	CPUIOWait float32
	Memory    float32
	// Rates are in bytes per second.
	NetworkRxRate float32
	NetworkTxRate float32
}

// Responses are what an HttpStatusMetrics message counts by class.
type Responses struct {
	Class2xx, Class3xx, Class4xx, Class5xx int64
}

// Bucket is a HistogramBucket message: a bound in milliseconds and a count.
type Bucket struct {
	Bound float32
	Count int64
}

// Fields of NginxMetrics and SystemMetrics that are messages.
const (
	metricsSystem    = 9
	metricsResponses = 10
	metricsLabels    = 11
	metricsLatencies = 12
	systemLabels     = 12
)

// Unmarshal replaces m by the message in b. It accepts and refuses what the generated code does.
func (m *Metrics) Unmarshal(b []byte) error {
	*m = Metrics{encoded: b, Values: Values{Latencies: m.Latencies[:0]}}
	f := fields{rest: b}
	for f.next() {
		switch f.typ {
		case protowire.VarintType:
			m.setCount(f.num, int64(f.number))
		case protowire.BytesType:
			if err := m.setMessage(f.num, f.bytes); err != nil {
				return err
			}
		}
	}
	return f.err
}

func (v *Values) setCount(num protowire.Number, n int64) {
	switch num {
	case 1:
		v.ActiveConnections = n
	case 2:
		v.AcceptedConnections = n
	case 3:
		v.HandledConnections = n
	case 4:
		v.TotalRequests = n
	case 5:
		v.Reading = n
	case 6:
		v.Writing = n
	case 7:
		v.Waiting = n
	case 13:
		v.BytesIn = n
	case 14:
		v.BytesOut = n
	}
}

// setMessage merges messages that come in pieces.
func (m *Metrics) setMessage(num protowire.Number, b []byte) error {
	switch num {
	case metricsSystem:
		m.HasSystem = true
		return m.System.merge(b, &m.LabelsDigest)
	case metricsResponses:
		m.HasResponses = true
		return m.Responses.merge(b)
	case metricsLatencies:
		return m.addLatency(b)
	case metricsLabels:
		return digestLabel(&m.LabelsDigest, b, digestSeed)
	default:
		return nil
	}
}

func (v *Values) addLatency(b []byte) error {
	var bucket Bucket
	if err := bucket.merge(b); err != nil {
		return err
	}
	if len(v.Latencies) <= MaxLatencies {
		v.Latencies = append(v.Latencies, bucket)
	}
	return nil
}

func (s *System) merge(b []byte, labels *uint64) error {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.typ == protowire.VarintType:
			s.setBytes(f.num, f.number)
		case f.typ == protowire.Fixed32Type:
			s.setFloat(f.num, math.Float32frombits(uint32(f.number)))
		case f.typ == protowire.BytesType && f.num == systemLabels:
			if err := digestLabel(labels, f.bytes, systemSeed); err != nil {
				return err
			}
		}
	}
	return f.err
}

func (s *System) setBytes(num protowire.Number, n uint64) {
	switch num {
	case 3:
		s.MemoryTotal = n
	case 4:
		s.MemoryUsed = n
	case 5:
		s.NetworkRx = n
	case 6:
		s.NetworkTx = n
	}
}

func (s *System) setFloat(num protowire.Number, n float32) {
	switch num {
	case 1:
		s.CPU = n
	case 2:
		s.Memory = n
	case 7:
		s.NetworkRxRate = n
	case 8:
		s.NetworkTxRate = n
	case 9:
		s.CPUUser = n
	case 10:
		s.CPUSystem = n
	case 11:
		s.CPUIOWait = n
	}
}

func (r *Responses) merge(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		if f.typ == protowire.VarintType {
			r.set(f.num, int64(f.number))
		}
	}
	return f.err
}

func (r *Responses) set(num protowire.Number, n int64) {
	switch num {
	case 1:
		r.Class2xx = n
	case 3:
		r.Class3xx = n
	case 4:
		r.Class4xx = n
	case 6:
		r.Class5xx = n
	}
}

func (p *Bucket) merge(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.typ == protowire.Fixed32Type && f.num == 1:
			p.Bound = math.Float32frombits(uint32(f.number))
		case f.typ == protowire.VarintType && f.num == 2:
			p.Count = int64(f.number)
		}
	}
	return f.err
}
