package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/bench/internal/scenario"
)

const scaleHelp = `bench scale [OPTIONS]: rows per CPU-second and memory of gateways for 10, 100, 1,000 and 10,000 agents

  --replicas N     gateways that the agents are divided between (1)
  --rate R         rows a second of all agents together (20000)
  --duration D     of each number of agents (25s)

bench scale --plot FILE: a plot and a table of all the results that there are, as SVG

Results go to .local/bench/scale-N.json at the root of the repository.
`

var scaleAgents = []int{10, 100, 1000, 10_000}

func scaleCommand(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("scale", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	replicas, rate := fs.Int("replicas", 1, ""), fs.Float64("rate", 20_000, "")
	duration, plot := fs.Duration("duration", 25*time.Second, ""), fs.String("plot", "", "")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Print(scaleHelp)
			return err
		}
		return usageError{err}
	}
	if *replicas < 1 || *rate <= 0 || fs.NArg() > 0 {
		return usageError{errors.New("want --replicas 1 or more, --rate above 0, and nothing else")}
	}
	root, dir, err := outDir("")
	if err != nil {
		return err
	}
	if *plot != "" {
		return plotScale(dir, *plot)
	}
	var results []report.Result
	for _, agents := range scaleAgents {
		s := scenario.New()
		s.Name, s.Agents, s.Rate = fmt.Sprintf("%d-agents-%d-replicas", agents, *replicas), agents, *rate/float64(agents)
		s.Duration, s.Replicas = *duration, *replicas
		r, err := scenario.Run(ctx, s, scenario.Options{Root: root, Dir: dir, Progress: os.Stderr, Command: "bench scale " + strings.Join(args, " ")})
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		r.WriteText(os.Stdout)
		results = append(results, r)
	}
	return conclude(filepath.Join(dir, fmt.Sprintf("scale-%d.json", *replicas)), results)
}

// plotScale draws the results of one, two and four replicas.
func plotScale(dir, path string) error {
	var points []report.Point
	for _, replicas := range []int{1, 2, 4} {
		results, err := report.ReadJSON(filepath.Join(dir, fmt.Sprintf("scale-%d.json", replicas)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for i, agents := range scaleAgents[:min(len(results), len(scaleAgents))] {
			points = append(points, report.PointOf(&results[i], agents, replicas))
		}
	}
	if len(points) == 0 {
		return fmt.Errorf("no results in %s: run bench scale first", dir)
	}
	report.WriteScaleTable(os.Stdout, points)
	return os.WriteFile(path, report.ScaleSVG(points), 0o644) //nolint:gosec // a picture for the documentation
}
