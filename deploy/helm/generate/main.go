// Generate brings the chart in line with what it is made from: README.md from the comments in values.yaml, and copies of
// configurations, alerts, dashboards and server settings, because a chart can only use files inside of it.
package main

import (
	"errors"
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
		if err := copyFile(filepath.Join(root, from), filepath.Join(chart, to)); err != nil {
			return err
		}
	}
	if err := copyDashboards(); err != nil {
		return err
	}
	readme, err := readme("readme.md", chart)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(chart, "README.md"), readme, 0o644)
}

// copyDashboards leaves no dashboard behind that is not there any more.
func copyDashboards() error {
	folder := filepath.Join(chart, "files/dashboards")
	if err := errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o755)); err != nil {
		return err
	}
	dashboards, err := filepath.Glob(filepath.Join(root, "deploy/grafana/dashboards/*.json"))
	if err != nil {
		return err
	}
	for _, file := range dashboards {
		if err := copyFile(file, filepath.Join(folder, filepath.Base(file))); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}
