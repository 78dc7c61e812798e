// Package cli is agentsim's command line.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/fleet"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/link"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
)

// options is the command line as given.
type options struct {
	gateway, psk, pskFile string
	tls                   bool
	tlsFiles              link.TLSFiles
	transport, agentID    string
	hostname, labels      string
	heartbeat, metrics    time.Duration
	state, reconnect      time.Duration
	duration              time.Duration
	format                string
	json, honorUpdate     bool

	tail, errorLog, stubStatus, nginxConf, stateDir string
	fromStart                                       bool
	bufferMiB                                       int

	agents         int
	rate           string
	total          int64
	seed           uint64
	runID          string
	connectRate    float64
	drain, tick    time.Duration
	set            map[string]bool // flags that were given
	labelMap       map[string]string
	rateValue      float64
	run            uint32
	logFormat      nginxlog.Format
	transportValue link.Transport
	key            link.Key
}

func parse(args []string, out io.Writer) (*options, error) {
	o := &options{set: map[string]bool{}}
	fs := flag.NewFlagSet("agentsim", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o.register(fs)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, help)
			return nil, flag.ErrHelp
		}
		return nil, err
	}
	fs.Visit(func(f *flag.Flag) { o.set[f.Name] = true })
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; all options start with --", fs.Arg(0))
	}
	return o, o.resolve()
}

func (o *options) register(fs *flag.FlagSet) {
	fs.StringVar(&o.gateway, "gateway", "localhost:5020", "")
	fs.StringVar(&o.psk, "psk", os.Getenv("AVIKA_PSK"), "")
	fs.StringVar(&o.pskFile, "psk-file", "", "")
	fs.BoolVar(&o.tls, "tls", false, "")
	fs.StringVar(&o.tlsFiles.CA, "tls-ca", "", "")
	fs.StringVar(&o.tlsFiles.Cert, "tls-cert", "", "")
	fs.StringVar(&o.tlsFiles.Key, "tls-key", "", "")
	fs.BoolVar(&o.tlsFiles.InsecureSkipVerify, "tls-insecure-skip-verify", false, "")
	fs.StringVar(&o.transport, "transport", "", "")
	fs.StringVar(&o.agentID, "agent-id", "", "")
	fs.StringVar(&o.hostname, "hostname", "", "")
	fs.StringVar(&o.labels, "labels", "", "")
	fs.DurationVar(&o.heartbeat, "heartbeat-interval", time.Second, "")
	fs.DurationVar(&o.metrics, "metrics-interval", time.Second, "")
	fs.DurationVar(&o.state, "state-interval", time.Minute, "")
	fs.DurationVar(&o.reconnect, "reconnect-wait", 5*time.Second, "")
	fs.DurationVar(&o.duration, "duration", 0, "")
	fs.StringVar(&o.format, "log-format", "", "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.honorUpdate, "honor-update", false, "")
	o.registerModes(fs)
}

func (o *options) registerModes(fs *flag.FlagSet) {
	fs.StringVar(&o.tail, "tail", "", "")
	fs.StringVar(&o.errorLog, "error-log", "", "")
	fs.StringVar(&o.stubStatus, "stub-status", "", "")
	fs.StringVar(&o.nginxConf, "nginx-conf", "", "")
	fs.StringVar(&o.stateDir, "state-dir", "", "")
	fs.BoolVar(&o.fromStart, "from-start", false, "")
	fs.IntVar(&o.bufferMiB, "buffer-mib", 64, "")
	fs.IntVar(&o.agents, "agents", 1, "")
	fs.StringVar(&o.rate, "rate", "100", "")
	fs.Int64Var(&o.total, "total", 0, "")
	fs.Uint64Var(&o.seed, "seed", 1, "")
	fs.StringVar(&o.runID, "run-id", "", "")
	fs.Float64Var(&o.connectRate, "connect-rate", 500, "")
	fs.DurationVar(&o.tick, "tick", 20*time.Millisecond, "")
	fs.DurationVar(&o.drain, "drain", 30*time.Second, "")
}

// resolve turns texts into values, and names everything that cannot work.
func (o *options) resolve() error {
	var errs []error
	keep := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	keep(o.resolveMode())
	_, _, err := net.SplitHostPort(o.gateway)
	if err != nil {
		keep(fmt.Errorf("--gateway %q: want host:port, as in localhost:5020", o.gateway))
	}
	keep(o.resolveKey())
	keep(o.resolveLabels())
	o.rateValue, err = parseRate(o.rate)
	keep(err)
	o.run, err = parseRun(o.runID)
	keep(err)
	o.resolveDefaults()
	o.logFormat, err = nginxlog.ParseFormat(o.format)
	keep(err)
	o.transportValue, err = link.ParseTransport(o.transport)
	keep(err)
	return errors.Join(errs...)
}

var (
	fleetOnly = []string{"agents", "rate", "total", "seed", "run-id", "connect-rate", "drain", "tick"}
	tailOnly  = []string{"error-log", "stub-status", "nginx-conf", "state-dir", "from-start", "buffer-mib"}
)

func (o *options) resolveMode() error {
	other, mode := tailOnly, "needs --tail FILE"
	if o.tail != "" {
		other, mode = fleetOnly, "is for a simulated fleet and does not go with --tail"
	} else if !o.set["agents"] && !o.set["rate"] && !o.set["total"] {
		return errors.New("nothing to simulate: give --tail FILE for one agent on a real NGINX, " +
			"or --agents N --rate R for a fleet; --help shows examples")
	}
	for _, name := range other {
		if o.set[name] {
			return fmt.Errorf("--%s %s", name, mode)
		}
	}
	return nil
}

func (o *options) resolveDefaults() {
	if o.transport == "" {
		o.transport = string(link.Wire)
		if o.tail != "" {
			o.transport = string(link.Library)
		}
	}
	if o.format == "" {
		o.format = string(nginxlog.JSON)
		if o.tail != "" {
			o.format = string(nginxlog.Auto)
		}
	}
	if o.tlsFiles != (link.TLSFiles{}) {
		o.tls = true
	}
}

func (o *options) resolveKey() (err error) {
	if o.pskFile != "" {
		b, err := os.ReadFile(o.pskFile)
		if err != nil {
			return fmt.Errorf("--psk-file: %w", err)
		}
		o.psk = string(b)
	}
	o.key, err = link.ParseKey(o.psk)
	return err
}

func (o *options) resolveLabels() error {
	o.labelMap = map[string]string{}
	for pair := range strings.SplitSeq(o.labels, ",") {
		if pair == "" {
			continue
		}
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return fmt.Errorf("--labels %q: want key=value,key=value", o.labels)
		}
		o.labelMap[k] = v
	}
	return nil
}

func parseRate(s string) (float64, error) {
	if s == "max" || s == "-1" {
		return fleet.Unlimited, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("--rate %q: want log entries per second and agent, 0 for none, or max", s)
	}
	return v, nil
}

// parseRun makes a new run id, unless one is given.
func parseRun(s string) (uint32, error) {
	if s == "" {
		return rand.Uint32()&0x7fffffff | 1, nil
	}
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("--run-id %q: want up to 8 hex digits", s)
	}
	return uint32(v), nil
}
