package rows

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Nginx builds rows of nginx_metrics.
type Nginx struct {
	fields
	timestamp                        *nativeblock.Fixed
	instance                         *nativeblock.LowCardinality
	active, accepted, handled, total *nativeblock.Fixed
	reading, writing, waiting, rate  *nativeblock.Fixed
	status2xx, status3xx, status4xx  *nativeblock.Fixed
	status5xx, bytesIn, bytesOut     *nativeblock.Fixed
	labels                           *labels
}

func newNginx() *Nginx {
	t := &Nginx{}
	t.timestamp, t.instance = t.millis("timestamp"), t.low("instance_id")
	t.active, t.accepted = t.uint32("active_connections"), t.uint64("accepted_connections")
	t.handled, t.total = t.uint64("handled_connections"), t.uint64("total_requests")
	t.reading, t.writing, t.waiting = t.uint32("reading"), t.uint32("writing"), t.uint32("waiting")
	t.rate = t.float64("requests_per_second")
	t.status2xx, t.status3xx = t.uint64("status_2xx"), t.uint64("status_3xx")
	t.status4xx, t.status5xx = t.uint64("status_4xx"), t.uint64("status_5xx")
	t.bytesIn, t.bytesOut = t.uint64("bytes_in"), t.uint64("bytes_out")
	t.labels = newLabels(&t.fields)
	return t
}

// Block implements Builder.
func (t *Nginx) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Nginx) Reset() {
	t.block.Reset()
	t.labels.last = nil
}

// Append adds a sample.
func (t *Nginx) Append(res *Resource, at pcommon.Timestamp, s *NginxSample) {
	t.block.Rows++
	t.timestamp.Append64(millis(at))
	t.instance.Append(res.Instance)
	t.active.Append32(s.Active)
	t.accepted.Append64(s.Accepted)
	t.handled.Append64(s.Handled)
	t.total.Append64(s.Requests)
	t.reading.Append32(s.Reading)
	t.writing.Append32(s.Writing)
	t.waiting.Append32(s.Waiting)
	t.rate.AppendFloat64(s.Rate)
	t.status2xx.Append64(s.Status2xx)
	t.status3xx.Append64(s.Status3xx)
	t.status4xx.Append64(s.Status4xx)
	t.status5xx.Append64(s.Status5xx)
	t.bytesIn.Append64(s.BytesIn)
	t.bytesOut.Append64(s.BytesOut)
	t.labels.append(res)
}

// System builds rows of system_metrics.
type System struct {
	fields
	timestamp                            *nativeblock.Fixed
	instance                             *nativeblock.LowCardinality
	cpu, memory, memoryTotal, memoryUsed *nativeblock.Fixed
	rx, tx, rxRate, txRate               *nativeblock.Fixed
	user, system, iowait                 *nativeblock.Fixed
	labels                               *labels
}

func newSystem() *System {
	t := &System{}
	t.timestamp, t.instance = t.millis("timestamp"), t.low("instance_id")
	t.cpu, t.memory = t.float32("cpu_usage"), t.float32("memory_usage")
	t.memoryTotal, t.memoryUsed = t.uint64("memory_total"), t.uint64("memory_used")
	t.rx, t.tx = t.uint64("network_rx_bytes"), t.uint64("network_tx_bytes")
	t.rxRate, t.txRate = t.float32("network_rx_rate"), t.float32("network_tx_rate")
	t.user, t.system, t.iowait = t.float32("cpu_user"), t.float32("cpu_system"), t.float32("cpu_iowait")
	t.labels = newLabels(&t.fields)
	return t
}

// Block implements Builder.
func (t *System) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *System) Reset() {
	t.block.Reset()
	t.labels.last = nil
}

// Append adds a sample.
func (t *System) Append(res *Resource, at pcommon.Timestamp, s *SystemSample) {
	t.block.Rows++
	t.timestamp.Append64(millis(at))
	t.instance.Append(res.Instance)
	t.cpu.AppendFloat32(s.CPU)
	t.memory.AppendFloat32(s.Memory)
	t.memoryTotal.Append64(s.MemoryTotal)
	t.memoryUsed.Append64(s.MemoryUsed)
	t.rx.Append64(s.Rx)
	t.tx.Append64(s.Tx)
	t.rxRate.AppendFloat32(s.RxRate)
	t.txRate.AppendFloat32(s.TxRate)
	t.user.AppendFloat32(s.CPUUser)
	t.system.AppendFloat32(s.CPUSystem)
	t.iowait.AppendFloat32(s.CPUIOWait)
	t.labels.append(res)
}

// noLabels is the resource of rows that no agent sent.
var noLabels = &Resource{}

// Gateway builds rows of gateway_metrics.
type Gateway struct {
	fields
	timestamp                     *nativeblock.Fixed
	gateway                       *nativeblock.LowCardinality
	eps, connections, cpu, memory *nativeblock.Fixed
	goroutines, latency           *nativeblock.Fixed
	labels                        *labels
}

// GatewaySample is a row of gateway_metrics.
type GatewaySample struct {
	Gateway string
	// EPS is rows accepted per second, CPU percent of one core, MemoryMB resident memory in MiB, LatencyMS the mean time
	// of an insert. Connections are agents that sent samples since the last row.
	EPS, CPU, MemoryMB, LatencyMS float32
	Connections, Goroutines       uint32
}

func newGateway() *Gateway {
	t := &Gateway{}
	t.timestamp, t.gateway = t.millis("timestamp"), t.low("gateway_id")
	t.eps, t.connections, t.cpu = t.float32("eps"), t.uint32("active_connections"), t.float32("cpu_usage")
	t.memory, t.goroutines, t.latency = t.float32("memory_mb"), t.uint32("goroutines"), t.float32("db_latency_ms")
	t.labels = newLabels(&t.fields)
	return t
}

// Block implements Builder.
func (t *Gateway) Block() *nativeblock.Block { return &t.block }

// Reset implements Builder.
func (t *Gateway) Reset() {
	t.block.Reset()
	t.labels.last = nil
}

// Append adds a sample.
func (t *Gateway) Append(at pcommon.Timestamp, s *GatewaySample) {
	t.block.Rows++
	t.timestamp.Append64(millis(at))
	t.gateway.Append(s.Gateway)
	t.eps.AppendFloat32(s.EPS)
	t.connections.Append32(s.Connections)
	t.cpu.AppendFloat32(s.CPU)
	t.memory.AppendFloat32(s.MemoryMB)
	t.goroutines.Append32(s.Goroutines)
	t.latency.AppendFloat32(s.LatencyMS)
	t.labels.append(noLabels)
}
