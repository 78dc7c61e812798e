package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/avika-ai/avika-collector/tests/bench/internal/report"
	"github.com/avika-ai/avika-collector/tests/bench/internal/scenario"
)

// errRows is the verdict when the count is not what it must be.
var errRows = errors.New("rows were lost or doubled")

func runCommand(ctx context.Context, args []string) error {
	o, err := parseRun(args)
	if err != nil {
		return err
	}
	root, dir, err := outDir(o.out)
	if err != nil {
		return err
	}
	result, err := scenario.Run(ctx, o.Scenario, scenario.Options{
		Root: root, Dir: dir, Tables: o.tables, Progress: os.Stderr, Command: "bench run " + strings.Join(args, " "),
	})
	if err != nil {
		return err
	}
	result.WriteHead(os.Stdout)
	result.WriteText(os.Stdout)
	path := filepath.Join(dir, o.Name+".json")
	if err := report.WriteJSON(path, result); err != nil {
		return err
	}
	fmt.Printf("\nthe whole result with a sample each second: %s\n", path)
	return verdict(result)
}

func verdict(results ...report.Result) error {
	for _, r := range results {
		if r.Rows.Lost != 0 || r.Rows.Doubled != 0 {
			return fmt.Errorf("%s: %w: %d lost, %d doubled", r.Name, errRows, r.Rows.Lost, r.Rows.Doubled)
		}
	}
	return nil
}
