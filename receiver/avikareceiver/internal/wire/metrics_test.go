package wire

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func fullMetrics() *agentv1.NginxMetrics {
	return &agentv1.NginxMetrics{
		ActiveConnections: 1, AcceptedConnections: 1 << 40, HandledConnections: 3, TotalRequests: math.MaxInt64, Reading: 5, Writing: 600, Waiting: -7,
		RequestsPerSecond: 12.5, BytesInTotal: 13, BytesOutTotal: 14,
		System: &agentv1.SystemMetrics{
			CpuUsagePercent: 1.5, MemoryUsagePercent: 2.5, MemoryTotalBytes: math.MaxUint64, MemoryUsedBytes: 4, NetworkRxBytes: 5, NetworkTxBytes: 6,
			NetworkRxRate: 7.5, NetworkTxRate: 8.5, CpuUserPercent: 9.5, CpuSystemPercent: 10.5, CpuIowaitPercent: 11.5, Labels: map[string]string{"zone": "b", "": "empty"},
		},
		HttpStatus: &agentv1.HttpStatusMetrics{
			Status_2XxCount: 1, Status_200Count: 2, Status_3XxCount: 3, Status_4XxCount: 4, Status_404Count: 5, Status_5XxCount: 6, Status_503Count: 7,
		},
		Labels:              map[string]string{"project": "shop", "zone": "a", "ü": ""},
		LatencyDistribution: []*agentv1.HistogramBucket{{Le: 5, Count: 1}, {}, {Le: float32(math.Inf(1)), Count: math.MaxInt64}},
	}
}

// valuesOf are what the generated code makes of a message.
func valuesOf(m *agentv1.NginxMetrics) *Values {
	system, status := m.GetSystem(), m.GetHttpStatus()
	want := &Values{
		ActiveConnections: m.ActiveConnections, AcceptedConnections: m.AcceptedConnections, HandledConnections: m.HandledConnections,
		TotalRequests: m.TotalRequests, Reading: m.Reading, Writing: m.Writing, Waiting: m.Waiting, BytesIn: m.BytesInTotal, BytesOut: m.BytesOutTotal,
		HasSystem: system != nil, HasResponses: status != nil,
		System: System{
			MemoryTotal: system.GetMemoryTotalBytes(), MemoryUsed: system.GetMemoryUsedBytes(), NetworkRx: system.GetNetworkRxBytes(), NetworkTx: system.GetNetworkTxBytes(),
			CPU: system.GetCpuUsagePercent(), CPUUser: system.GetCpuUserPercent(), CPUSystem: system.GetCpuSystemPercent(), CPUIOWait: system.GetCpuIowaitPercent(),
			Memory: system.GetMemoryUsagePercent(), NetworkRxRate: system.GetNetworkRxRate(), NetworkTxRate: system.GetNetworkTxRate(),
		},
		Responses: Responses{status.GetStatus_2XxCount(), status.GetStatus_3XxCount(), status.GetStatus_4XxCount(), status.GetStatus_5XxCount()},
	}
	for _, bucket := range m.LatencyDistribution[:min(len(m.LatencyDistribution), MaxLatencies+1)] {
		want.Latencies = append(want.Latencies, Bucket{bucket.GetLe(), bucket.GetCount()})
	}
	return want
}

func labelsOf(m *agentv1.NginxMetrics) map[string]string {
	all := map[string]string{}
	maps.Copy(all, m.GetLabels())
	maps.Copy(all, m.GetSystem().GetLabels())
	return all
}

// requireSameMetrics fails unless the generated code and ours say the same of b: that it is no message, or what is in it.
func requireSameMetrics(t *testing.T, b []byte) {
	t.Helper()
	var got Metrics
	var reference agentv1.NginxMetrics
	err, want := got.Unmarshal(b), proto.Unmarshal(b, &reference)
	require.Equal(t, want == nil, err == nil, "%x: %v, generated code says %v", b, err, want)
	if want != nil {
		return
	}
	require.Equal(t, len(labelsOf(&reference)) > 0, got.LabelsDigest != 0, "%x", b)
	require.Equal(t, labelsOf(&reference), got.Labels(), "%x", b)
	require.Equal(t, describe(valuesOf(&reference)), describe(&got.Values), "%x", b)
}

// describe makes values comparable: NaN differs from itself.
func describe(v *Values) string {
	s, bits := v.System, math.Float32bits
	counts := []int64{
		v.ActiveConnections, v.AcceptedConnections, v.HandledConnections, v.TotalRequests, v.Reading, v.Writing, v.Waiting, v.BytesIn, v.BytesOut,
		v.Responses.Class2xx, v.Responses.Class3xx, v.Responses.Class4xx, v.Responses.Class5xx,
	}
	floats := []uint32{bits(s.CPU), bits(s.CPUUser), bits(s.CPUSystem), bits(s.CPUIOWait), bits(s.Memory), bits(s.NetworkRxRate), bits(s.NetworkTxRate)}
	bytes := []uint64{s.MemoryTotal, s.MemoryUsed, s.NetworkRx, s.NetworkTx}
	var buckets []any
	for _, bucket := range v.Latencies {
		buckets = append(buckets, bits(bucket.Bound), bucket.Count)
	}
	return fmt.Sprint(counts, floats, bytes, v.HasSystem, v.HasResponses, buckets)
}

// appendBytes writes a field that is a message or a text.
func appendBytes(b []byte, num protowire.Number, content ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), content)
}

func metricsSeeds(t testing.TB) map[string][]byte {
	whole := encode(t, fullMetrics())
	nan := float32(math.NaN())
	group := protowire.AppendTag(nil, 9, protowire.StartGroupType)
	group = protowire.AppendTag(append(group, 0x08, 1), 9, protowire.EndGroupType)
	farTag := func(num protowire.Number) []byte { return append(protowire.AppendVarint(nil, uint64(num)<<3), 1) }
	packed := appendBytes(nil, 1, 1, 2, 3)
	many := encode(t, &agentv1.NginxMetrics{LatencyDistribution: make([]*agentv1.HistogramBucket, MaxLatencies+9)})
	return map[string][]byte{
		"nothing": {}, "full": whole, "twice": append(bytes.Clone(whole), whole...),
		"not a number":                          encode(t, &agentv1.NginxMetrics{System: &agentv1.SystemMetrics{CpuUsagePercent: nan}, LatencyDistribution: []*agentv1.HistogramBucket{{Le: nan}}}),
		"empty parts":                           appendBytes(appendBytes(appendBytes(appendBytes(nil, 9), 10), 11), 12),
		"the system in pieces":                  append(encode(t, &agentv1.NginxMetrics{System: &agentv1.SystemMetrics{CpuUsagePercent: 1, MemoryUsedBytes: 2}}), encode(t, &agentv1.NginxMetrics{System: &agentv1.SystemMetrics{MemoryUsedBytes: 3}})...),
		"a group for the system":                append(group, whole...),
		"a group without end":                   group[:len(group)-1],
		"the end of no group":                   protowire.AppendTag(nil, 4, protowire.EndGroupType),
		"a count that is packed":                packed,
		"a count that is a float":               protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), 7),
		"a system that is a number":             {9 << 3, 1},
		"a float that is a number":              appendBytes(nil, 9, 1<<3, 5),
		"a bucket that ends too soon":           appendBytes(nil, 12, 0x0d, 0),
		"buckets that are too many":             many,
		"a status that ends too soon":           appendBytes(nil, 10, 0x08),
		"a label that is no text":               appendBytes(nil, 11, 0x0a, 1, 0xff),
		"a value that is no text":               appendBytes(nil, 11, 0x12, 1, 0xc0),
		"a label of the system that is no text": appendBytes(nil, 9, appendBytes(nil, 12, 0x0a, 1, 0xff)...),
		"a label twice in its entry":            appendBytes(nil, 11, 0x0a, 1, 'a', 0x0a, 1, 'b', 0x12, 1, 'x', 0x18, 9, 0x08, 1),
		"more than the largest field":           farTag(protowire.MaxValidNumber + 1),
		"the largest field":                     farTag(protowire.MaxValidNumber),
		"a field without number":                {0, 1},
		"a number of eleven bytes":              append([]byte{0x08}, bytes.Repeat([]byte{0x80}, 11)...),
		"a number with idle bytes":              {0x08, 0x81, 0x80, 0x00},
		"fields nobody knows":                   append(appendBytes(protowire.AppendFixed64(protowire.AppendTag(nil, 99, protowire.Fixed64Type), 1), 98, 'x'), whole...),
	}
}

func TestMetricsAgreesWithGeneratedCode(t *testing.T) {
	for name, b := range metricsSeeds(t) {
		t.Run(name, func(t *testing.T) {
			requireSameMetrics(t, b)
			for n := range b { // whatever is cut off
				requireSameMetrics(t, b[:n])
			}
		})
	}
}

func TestMetricsAndValuesAreUsedAgain(t *testing.T) {
	var m Metrics
	var kept Values
	for _, message := range []*agentv1.NginxMetrics{fullMetrics(), {TotalRequests: 1}, fullMetrics(), {}} {
		require.NoError(t, m.Unmarshal(encode(t, message)))
		require.Equal(t, describe(valuesOf(message)), describe(&m.Values))
		require.Equal(t, labelsOf(message), m.Labels())
		kept.Copy(&m.Values)
		require.Equal(t, describe(&m.Values), describe(&kept))
	}
	require.NoError(t, m.Unmarshal(encode(t, fullMetrics())))
	require.Equal(t, describe(&Values{}), describe(&kept), "a copy does not change with what it is of")
}

// Whatever few bytes are changed, both say the same.
func TestDamagedMetricsAgreeWithGeneratedCode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	whole := encode(t, fullMetrics())
	for range 20_000 {
		b := bytes.Clone(whole)
		for range 1 + random.IntN(4) {
			b[random.IntN(len(b))] = byte(random.Uint32())
		}
		requireSameMetrics(t, b)
	}
}

func FuzzMetrics(f *testing.F) {
	for _, b := range metricsSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { requireSameMetrics(t, b) })
}

func TestMetricsLabelsDigest(t *testing.T) {
	digest := func(labels, ofSystem map[string]string) uint64 {
		var m Metrics
		require.NoError(t, m.Unmarshal(encode(t, &agentv1.NginxMetrics{Labels: labels, System: &agentv1.SystemMetrics{Labels: ofSystem}})))
		return m.LabelsDigest
	}
	ab := map[string]string{"a": "1", "b": "2", "c": "3"}
	want := digest(ab, nil)
	for range 50 { // maps are encoded in another order each time
		require.Equal(t, want, digest(ab, nil))
	}
	one, two := map[string]string{"a": "1"}, map[string]string{"a": "2"}
	seen := map[uint64]bool{0: true, want: true}
	for _, other := range [][2]map[string]string{{one, nil}, {nil, one}, {one, two}, {two, one}, {two, nil}, {nil, ab}, {map[string]string{"a": "1", "b": "3", "c": "2"}, nil}} {
		d := digest(other[0], other[1])
		require.False(t, seen[d], "%v", other)
		seen[d] = true
	}
}

func TestUnmarshalOfMetricsDoesNotAllocate(t *testing.T) {
	b := encode(t, fullMetrics())
	var m Metrics // the first message makes room for latencies
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if m.Unmarshal(b) != nil {
			t.Fatal("malformed")
		}
	}))
}

// BenchmarkMetrics decodes a sample as the agents of a fleet send it, by hand and with the generated code.
func BenchmarkMetrics(b *testing.B) {
	message := fullMetrics()
	message.System.Labels = nil
	message.Labels = map[string]string{"project": "shop", "environment": "production"}
	message.LatencyDistribution = message.LatencyDistribution[:0]
	for i := range 14 {
		message.LatencyDistribution = append(message.LatencyDistribution, &agentv1.HistogramBucket{Le: float32(i), Count: int64(i) << 10})
	}
	whole := encode(b, message)
	var m Metrics
	for name, decode := range map[string]func() error{
		"wire":      func() error { return m.Unmarshal(whole) },
		"generated": func() error { var m agentv1.NginxMetrics; return proto.Unmarshal(whole, &m) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(whole)))
			b.ReportAllocs()
			for b.Loop() {
				if decode() != nil {
					b.Fatal("malformed")
				}
			}
		})
	}
}
