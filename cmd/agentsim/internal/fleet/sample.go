package fleet

import (
	"math"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// sample is NginxMetrics at a moment: counters from the rows that were sent, a host that breathes.
func (a *agent) sample(at time.Time) *agentv1.NginxMetrics {
	requests := a.traffic.Requests()
	up := max(at.Sub(a.start).Seconds(), 1)
	active := 1 + int64(a.rateNow(at)/20)
	m := &agentv1.NginxMetrics{
		ActiveConnections: active, AcceptedConnections: 1 + requests/6, HandledConnections: 1 + requests/6,
		TotalRequests: requests, Reading: active / 20, Writing: 1 + active/5, Waiting: active - active/5 - active/20,
		RequestsPerSecond: float64(requests) / up, Labels: a.who.labels,
		System: a.system(at, up),
	}
	a.traffic.Fill(m)
	return m
}

func (a *agent) rateNow(at time.Time) float64 {
	if a.cfg.Rate >= 0 {
		return a.cfg.Rate
	}
	return float64(a.traffic.Requests()) / max(at.Sub(a.start).Seconds(), 1)
}

// system swings slowly around a level that belongs to the agent.
func (a *agent) system(at time.Time, up float64) *agentv1.SystemMetrics {
	phase := float64(a.who.number)
	wave := math.Sin(float64(at.Unix())/97+phase) + 0.3*math.Sin(float64(at.Unix())/7+2*phase)
	busy := 22 + 8*wave
	memory := 0.45 + 0.05*math.Sin(float64(at.Unix())/601+phase)
	sent := a.sentBytes
	return &agentv1.SystemMetrics{
		CpuUsagePercent: float32(busy), CpuUserPercent: float32(busy * 0.65), CpuSystemPercent: float32(busy * 0.3),
		CpuIowaitPercent: float32(busy * 0.05), MemoryUsagePercent: float32(100 * memory),
		MemoryTotalBytes: a.who.memoryTotal, MemoryUsedBytes: uint64(memory * float64(a.who.memoryTotal)),
		NetworkRxBytes: uint64(sent / 12), NetworkTxBytes: uint64(sent),
		NetworkRxRate: float32(float64(sent) / 12 / up), NetworkTxRate: float32(float64(sent) / up),
	}
}
