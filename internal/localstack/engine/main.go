//go:build unix

package engine

import (
	"errors"
	"flag"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// Main is the command that holds the engine, for programs that start themselves again as a ClickHouse server
// (localstack.ClickHouseOptions.Launcher). It serves until standard input closes.
func Main(args []string) error {
	flags := flag.NewFlagSet("clickhouse", flag.ContinueOnError)
	var opts Options
	flags.StringVar(&opts.Library, "library", "", "path of libchdb.so (default: in the repository's node_modules)")
	flags.StringVar(&opts.Path, "path", "", "data folder")
	flags.StringVar(&opts.ConfigFile, "config-file", "", "ClickHouse configuration")
	flags.IntVar(&opts.TCPPort, "tcp-port", 9000, "port of the native protocol")
	flags.IntVar(&opts.HTTPPort, "http-port", 8123, "port of the HTTP interface")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if opts.Path == "" {
		return errors.New("--path is missing")
	}
	if opts.Library == "" {
		library, err := localstack.EngineLibrary()
		if err != nil {
			return err
		}
		opts.Library = library
	}
	return Run(opts)
}
