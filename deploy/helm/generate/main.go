// Generate brings the chart in line with what it is made from: README.md from the comments in values.yaml, and copies of
// configurations, alerts and server settings, because a chart can only use files inside of it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run .

// copies are the chart's files by their sources, from the root of the repository.
var copies = map[string]string{
	"distributions/avika-gateway/config/gateway.yaml": "files/gateway.yaml",
	"distributions/avika-gateway/config/ingest.yaml":  "files/ingest.yaml",
	"distributions/avika-gateway/config/writer.yaml":  "files/writer.yaml",
	"deploy/clickhouse/config.d/avika.xml":            "charts/clickhouse/files/config.xml",
	"deploy/clickhouse/users.d/avika.xml":             "charts/clickhouse/files/users.xml",
	"deploy/prometheus/alerts.yml":                    "files/alerts.yml",
}

// The program runs in its own folder.
const (
	root  = "../../.."
	chart = "../avika"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate the chart:", err)
		os.Exit(1)
	}
}

func run() error {
	for from, to := range copies {
		content, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(chart, to), content, 0o644); err != nil {
			return err
		}
	}
	readme, err := readme("readme.md", chart)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(chart, "README.md"), readme, 0o644)
}
