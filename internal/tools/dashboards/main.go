// Command dashboards writes the Grafana dashboards of deploy/grafana. They are written in Go so that all have the same
// variables, links, units and colours, and the schema of Grafana's own library.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	out := flag.String("out", "../../deploy/grafana/dashboards", "folder to write into")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	plugins.RegisterDefaultPlugins() // so that panels are checked too
	for _, b := range []board{fleet(), agent(), failures(), latency(), geo(), gateway(), clickHouse()} {
		built, err := b.build()
		if err != nil {
			return fmt.Errorf("build %s: %w", b.uid, err)
		}
		data, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			return fmt.Errorf("encode %s: %w", b.uid, err)
		}
		// The library's error is never nil, but it may be an empty list.
		var wrong cog.BuildErrors
		if errors.As(new(dashboard.Dashboard).UnmarshalJSONStrict(data), &wrong) && len(wrong) > 0 {
			return fmt.Errorf("%s is not in Grafana's schema: %w", b.uid, wrong)
		}
		if err := os.WriteFile(filepath.Join(dir, b.uid+".json"), append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
