package main

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/internal/sizing"
)

const help = `avika-sizing says what a fleet of NGINX agents takes: gateway replicas and memory, ClickHouse memory and disk.

  avika-sizing --agents 100 --rps 100000
  avika-sizing --agents 100 --rps 100000 --retention 30d --output json
  avika-sizing --agents 40 --rps 8000 --output values >sizing.yaml    then: helm install avika … -f sizing.yaml

  --agents N              NGINX agents; required
  --rps N                 requests per second of all agents together; each is one log line; required
  --retention D           how long access logs are kept, as in 7d or 36h (7d)
  --log-bytes N           bytes of a log line (500)
  --span-bytes N          bytes of a span (250)
  --compression-ratio X   bytes on ClickHouse's disk per byte of log, above 0 and at most 1 (0.15)
  --log-buffer N          rows of logs a gateway may hold, CH_LOG_BUFFER_SIZE (100000)
  --span-buffer N         rows of spans a gateway may hold, CH_SPAN_BUFFER_SIZE (200000)
  --output F              table, json, or values for the Helm chart (table)

Formulas, and where they are only a start: docs/sizing.md.
`

type options struct {
	need   sizing.Need
	output string
}

// parse reads and checks the arguments. Help goes to stdout and returns flag.ErrHelp.
func parse(args []string, stdout io.Writer) (options, error) {
	o := options{need: sizing.Default()}
	flags := flag.NewFlagSet("avika-sizing", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&o.need.Agents, "agents", 0, "")
	flags.Float64Var(&o.need.RPS, "rps", -1, "")
	flags.Func("retention", "", func(s string) (err error) {
		o.need.Retention, err = duration(s)
		return err
	})
	flags.Float64Var(&o.need.LogBytes, "log-bytes", o.need.LogBytes, "")
	flags.Float64Var(&o.need.SpanBytes, "span-bytes", o.need.SpanBytes, "")
	flags.Float64Var(&o.need.CompressionRatio, "compression-ratio", o.need.CompressionRatio, "")
	flags.IntVar(&o.need.LogBuffer, "log-buffer", o.need.LogBuffer, "")
	flags.IntVar(&o.need.SpanBuffer, "span-buffer", o.need.SpanBuffer, "")
	flags.StringVar(&o.output, "output", "table", "")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			fmt.Fprint(stdout, help)
		}
		return o, err
	}
	return o, o.check(flags)
}

func (o options) check(flags *flag.FlagSet) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["agents"] || !given["rps"] {
		return fmt.Errorf("give --agents and --rps, as in: avika-sizing --agents 100 --rps 100000")
	}
	if _, known := formats[o.output]; !known {
		return fmt.Errorf("--output must be table, json or values, is %q", o.output)
	}
	return o.need.Validate()
}

// duration is time.ParseDuration with whole or broken days, as in 7d.
func duration(s string) (time.Duration, error) {
	days, found := strings.CutSuffix(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || n != n || n < 0 || n > 36500 {
		return 0, fmt.Errorf("%q is no number of days, as in 7d", s)
	}
	return time.Duration(n * float64(24*time.Hour)), nil
}
