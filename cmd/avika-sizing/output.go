package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/avika-ai/avika-collector/internal/sizing"
)

var formats = map[string]func(io.Writer, sizing.Need, sizing.Plan) error{
	"table": table, "json": asJSON, "values": values,
}

func run(args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	return formats[o.output](stdout, o.need, sizing.Of(o.need))
}

func table(out io.Writer, n sizing.Need, p sizing.Plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(name, value, how string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, value, fmt.Sprintf(how, args...))
	}
	row("gateway replicas", strconv.Itoa(p.GatewayReplicas), "ceil(%d / 20) + 1", n.Agents)
	row("agents per replica", strconv.Itoa(p.AgentsPerReplica), "ceil(%d / %d)", n.Agents, p.GatewayReplicas)
	row("memory per replica", number(p.GatewayMemoryMB)+" MB", "256 + %d × 2 + %s × 2 (buffers)", p.AgentsPerReplica, number(p.BufferMB))
	row("ClickHouse memory", number(p.ClickHouseMemoryGB)+" GB", "2 + %s / 10000 × 0.5", number(n.RPS))
	row("ClickHouse storage", number(p.StorageGB)+" GB", "%s rows/s × %s s × %s B × %s / 1e9", number(n.RPS),
		number(n.Retention.Seconds()), number(n.LogBytes), number(n.CompressionRatio))
	row("  per day", number(p.StoragePerDayGB)+" GB", "")
	row("profile to start from", p.Profile, "deploy/helm/avika/profiles/%s.yaml", p.Profile)
	return w.Flush()
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func asJSON(out io.Writer, n sizing.Need, p sizing.Plan) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Agents           int     `json:"agents"`
		RPS              float64 `json:"rps"`
		RetentionSeconds float64 `json:"retention_seconds"`
		sizing.Plan
	}{n.Agents, n.RPS, n.Retention.Seconds(), p})
}

// values are need and plan as values of the Helm chart, for those who want to see the numbers before they install. Whole days: the
// chart makes of them the TTL in ClickHouse, which has no others.
func values(out io.Writer, n sizing.Need, _ sizing.Plan) error {
	days := math.Ceil(n.Retention.Hours() / 24)
	n.Retention = time.Duration(days) * 24 * time.Hour
	p := sizing.Of(n)
	_, err := fmt.Fprintf(out, `# avika-sizing: %[1]d agents, %[2]s requests per second, %[3]s days of access logs
sizing:
  agents: %[1]d
  rps: %[2]s
  retentionDays: %[3]s
  logBytes: %[4]s
  spanBytes: %[5]s
  compressionRatio: %[6]s
gateway:
  replicaCount: %[7]d
  resources:
    limits:
      memory: %[8]s
clickhouse:
  config:
    logBufferSize: %[9]d
    spanBufferSize: %[10]d
  resources:
    limits:
      memory: %[11]s
  persistence:
    size: %[12]s
`, n.Agents, number(n.RPS), number(days), number(n.LogBytes), number(n.SpanBytes), number(n.CompressionRatio),
		p.GatewayReplicas, p.GatewayMemory(), n.LogBuffer, n.SpanBuffer, p.ClickHouseMemory(), p.Storage())
	return err
}
