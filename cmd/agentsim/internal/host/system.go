package host

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"
	gonet "github.com/shirou/gopsutil/v4/net"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// System measures the machine. It is for one goroutine: rates are between successive samples.
type System struct {
	last    time.Time
	cpu     cpu.TimesStat
	rx, tx  uint64
	sampled bool
}

// Sample measures now. The first one has no CPU use and no rates.
func (s *System) Sample(ctx context.Context, now time.Time) (*agentv1.SystemMetrics, error) {
	m := &agentv1.SystemMetrics{}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure memory: %w", err)
	}
	m.MemoryTotalBytes, m.MemoryUsedBytes = memory.Total, memory.Used
	m.MemoryUsagePercent = float32(memory.UsedPercent)
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil || len(times) == 0 {
		return nil, fmt.Errorf("measure CPU: %w", err)
	}
	network, err := gonet.IOCountersWithContext(ctx, false)
	if err != nil || len(network) == 0 {
		return nil, fmt.Errorf("measure network: %w", err)
	}
	m.NetworkRxBytes, m.NetworkTxBytes = network[0].BytesRecv, network[0].BytesSent
	if s.sampled {
		s.addCPU(m, times[0])
		s.addRates(m, now.Sub(s.last).Seconds())
	}
	*s = System{last: now, cpu: times[0], rx: m.NetworkRxBytes, tx: m.NetworkTxBytes, sampled: true}
	return m, nil
}

func (s *System) addCPU(m *agentv1.SystemMetrics, t cpu.TimesStat) {
	all := total(t) - total(s.cpu)
	if all <= 0 {
		return
	}
	percent := func(now, before float64) float32 { return float32(min(100, max(0, 100*(now-before)/all))) }
	m.CpuUserPercent = percent(t.User+t.Nice, s.cpu.User+s.cpu.Nice)
	m.CpuSystemPercent = percent(t.System+t.Irq+t.Softirq, s.cpu.System+s.cpu.Irq+s.cpu.Softirq)
	m.CpuIowaitPercent = percent(t.Iowait, s.cpu.Iowait)
	m.CpuUsagePercent = 100 - percent(t.Idle+t.Iowait, s.cpu.Idle+s.cpu.Iowait)
}

// total leaves out guest time, which user time holds.
func total(t cpu.TimesStat) float64 {
	return t.User + t.System + t.Idle + t.Nice + t.Iowait + t.Irq + t.Softirq + t.Steal
}

func (s *System) addRates(m *agentv1.SystemMetrics, seconds float64) {
	if seconds <= 0 {
		return
	}
	rate := func(now, before uint64) float32 {
		if now < before { // an interface went away
			return 0
		}
		return float32(float64(now-before) / seconds)
	}
	m.NetworkRxRate, m.NetworkTxRate = rate(m.NetworkRxBytes, s.rx), rate(m.NetworkTxBytes, s.tx)
}

// Address is the machine's own address: that of the interface towards the target, or loopback.
func Address(target string) string {
	conn, err := net.Dial("udp", target) // sends nothing
	if err != nil {
		return "127.0.0.1"
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "127.0.0.1"
	}
	return host
}
