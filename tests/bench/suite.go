package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/bench/internal/scenario"
)

// suites are lists of scenarios, each as `bench run` takes it.
var suites = map[string][]string{
	// short is `make bench`, under five minutes.
	"short": {
		"enterprise --duration 40s",
		"enterprise --name enterprise-without-spans --duration 40s --spans=false",
		"burst --total 1000000",
		"fleet --duration 30s",
		"otlp --duration 20s",
	},
	// full is the targets at their full length.
	"full": {
		"enterprise",
		"enterprise --name enterprise-without-spans --spans=false",
		"burst",
		"fleet",
		"soak",
		"otlp --duration 60s",
	},
	// compare is the same OTLP rows through contrib's exporter and ours.
	"compare": {
		"otlp --name contrib-memory --subject contrib --records otel --queue memory --rate max --total 1000000 --duration 0",
		"otlp --name ours-memory --subject ours --records otel --queue memory --rate max --total 1000000 --duration 0",
		"otlp --name contrib-disk --subject contrib --records otel --rate max --total 1000000 --duration 0",
		"otlp --name ours-disk --subject ours --records otel --rate max --total 1000000 --duration 0",
		"otlp --name ours-disk-typed --subject ours --rate max --total 1000000 --duration 0",
	},
}

func words(line string) []string { return strings.Fields(line) }

// suiteCommand runs a suite; what cannot be measured does not keep the rest from it.
func suiteCommand(name string) command {
	return func(ctx context.Context, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("bench %s takes no arguments: its scenarios are fixed, bench run has options", name)}
		}
		root, dir, err := outDir("")
		if err != nil {
			return err
		}
		var results []report.Result
		for _, line := range suites[name] {
			o, err := parseRun(words(line))
			if err != nil {
				return err
			}
			result, err := scenario.Run(ctx, o.Scenario, scenario.Options{
				Root: root, Dir: dir, Progress: os.Stderr, Command: "bench run " + line,
			})
			if err != nil {
				return fmt.Errorf("%s: %w", o.Name, err)
			}
			if len(results) == 0 {
				result.WriteHead(os.Stdout)
			}
			result.WriteText(os.Stdout)
			results = append(results, result)
		}
		return conclude(filepath.Join(dir, name+".json"), results)
	}
}

func conclude(path string, results []report.Result) error {
	fmt.Println()
	report.WriteSummary(os.Stdout, results)
	if err := report.WriteJSON(path, results); err != nil {
		return err
	}
	fmt.Printf("\nthe whole results with a sample each second: %s\n", path)
	return verdict(results...)
}
