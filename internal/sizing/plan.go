package sizing

import (
	"fmt"
	"math"
	"time"
)

// Plan is what a Need takes. Sizes have the formulas' units: 1 MB is 10^6 bytes, 1 GB is 10^9.
type Plan struct {
	// Profile is the profile of the Helm chart to start from.
	Profile string `json:"profile"`
	// GatewayReplicas has one replica of headroom: any one may be away.
	GatewayReplicas int `json:"gateway_replicas"`
	// AgentsPerReplica is the fullest replica's share when agents are spread evenly.
	AgentsPerReplica int `json:"agents_per_replica"`
	// BufferMB is what a full queue of logs and of spans takes.
	BufferMB float64 `json:"buffer_mb"`
	// GatewayMemoryMB is the memory of one replica.
	GatewayMemoryMB float64 `json:"gateway_memory_mb"`
	// ClickHouseMemoryGB is the memory of ClickHouse.
	ClickHouseMemoryGB float64 `json:"clickhouse_memory_gb"`
	// StoragePerDayGB and StorageGB are ClickHouse's disk for a day, and for the retention.
	StoragePerDayGB float64 `json:"storage_per_day_gb"`
	StorageGB       float64 `json:"storage_gb"`
}

const agentsPerGateway = 20

// Of computes the plan for a valid need.
func Of(n Need) Plan {
	replicas := ceilDiv(n.Agents, agentsPerGateway) + 1
	perReplica := ceilDiv(n.Agents, replicas)
	buffer := (float64(n.LogBuffer)*n.LogBytes + float64(n.SpanBuffer)*n.SpanBytes) / 1e6
	return Plan{
		Profile:            ProfileFor(n.Agents, n.RPS),
		GatewayReplicas:    replicas,
		AgentsPerReplica:   perReplica,
		BufferMB:           buffer,
		GatewayMemoryMB:    256 + float64(perReplica)*2 + buffer*2,
		ClickHouseMemoryGB: 2 + n.RPS/10_000*0.5,
		StoragePerDayGB:    n.storageGB(day),
		StorageGB:          n.storageGB(n.Retention),
	}
}

func (n Need) storageGB(kept time.Duration) float64 {
	return n.RPS * kept.Seconds() * n.LogBytes * n.CompressionRatio / 1e9
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// ProfileFor is the smallest profile whose agents and requests per second, as the table in docs/sizing.md has them, suffice.
func ProfileFor(agents int, rps float64) string {
	for _, p := range []struct {
		name   string
		agents int
		rps    float64
	}{{"default", 10, 1_000}, {"medium", 50, 10_000}, {"large", 100, 50_000}} {
		if agents <= p.agents && rps <= p.rps {
			return p.name
		}
	}
	return "enterprise"
}

// GatewayMemory, ClickHouseMemory and Storage are the plan as Kubernetes quantities, rounded up: memory to 64Mi, with a MB
// taken as a Mi, and storage to whole Gi, of which a GB is taken as one, and at least 10Gi.
func (p Plan) GatewayMemory() string    { return mebibytes(p.GatewayMemoryMB) }
func (p Plan) ClickHouseMemory() string { return mebibytes(p.ClickHouseMemoryGB * 1024) }
func (p Plan) Storage() string          { return fmt.Sprintf("%.0fGi", max(10, math.Ceil(p.StorageGB))) }

func mebibytes(mb float64) string {
	const step = 64
	mi := int64(math.Ceil(mb/step)) * step
	if mi%1024 == 0 {
		return fmt.Sprintf("%dGi", mi/1024)
	}
	return fmt.Sprintf("%dMi", mi)
}
