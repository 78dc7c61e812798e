package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Point is gateways under one number of agents.
type Point struct {
	Agents, Replicas int
	RowsPerCPU       float64 // of all replicas' CPU time
	Cores            float64 // of all replicas
	MiB              float64 // the most that one replica had
	ClickHouseCores  float64
	P99              float64 // age, seconds
	Rows             float64 // a second
}

// PointOf takes a point from a result.
func PointOf(r *Result, agents, replicas int) Point {
	subject := r.subject()
	p := Point{
		Agents: agents, Replicas: replicas, RowsPerCPU: subject.RowsPerCPU, Cores: subject.Cores, MiB: float64(subject.PeakRSS) / (1 << 20),
		ClickHouseCores: r.named("ClickHouse").Cores, Rows: r.RowsPerSecond,
	}
	if r.Ages != nil {
		p.P99 = r.Ages.P99
	}
	return p
}

// GuideReplicas is the scaling guide's formula: ceil(agents / 20) + 1.
func GuideReplicas(agents int) int { return (agents+19)/20 + 1 }

// GuideMiB is the scaling guide's formula for a replica: 256 + 2 for each of its agents + twice its buffer.
func GuideMiB(agentsPerReplica, bufferMiB float64) float64 {
	return 256 + 2*agentsPerReplica + 2*bufferMiB
}

// guideBuffer is ch_batch's queue_size of log records by default, in MiB.
const guideBuffer = 128

// WriteScaleTable prints points as Markdown, with what the guide's formulas say.
func WriteScaleTable(w io.Writer, points []Point) {
	fmt.Fprintln(w, "| agents | replicas | rows/s | rows per gateway CPU-s | gateway cores, all | MiB of a replica | guide: MiB | guide: replicas | ClickHouse cores | age p99, s |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for _, p := range points {
		fmt.Fprintf(w, "| %d | %d | %.0f | %.0f | %.2f | %.0f | %.0f | %d | %.2f | %.2f |\n", p.Agents, p.Replicas, p.Rows, p.RowsPerCPU,
			p.Cores, p.MiB, GuideMiB(float64(p.Agents)/float64(p.Replicas), guideBuffer), GuideReplicas(p.Agents), p.ClickHouseCores, p.P99)
	}
}

// ReadJSON reads results that WriteJSON wrote.
func ReadJSON(path string) (results []Result, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &results); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return results, nil
}
