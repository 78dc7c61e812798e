// Command dashboards writes the Grafana dashboards of deploy/grafana. They are written in Go so that all have the same
// variables, links, units and colours, and the schema of Grafana's own library.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
	for _, b := range []board{fleet(), agent(), failures(), latency(), geo(), gateway(), clickHouse()} {
		built, err := b.build()
		if err != nil {
			return fmt.Errorf("build %s: %w", b.uid, err)
		}
		data, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			return fmt.Errorf("encode %s: %w", b.uid, err)
		}
		if err := os.WriteFile(filepath.Join(dir, b.uid+".json"), append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
