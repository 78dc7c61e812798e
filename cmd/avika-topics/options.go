package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/cmd/avika-topics/internal/topics"
)

const help = `avika-topics creates the topics of the queue, and reports those that are not as wanted.

  avika-topics                     create what is missing; run it as often as you like
  avika-topics --check             change nothing, report only
  avika-topics --alter             also add partitions and change settings of topics that exist

Settings come from the environment, as those of ingest.yaml and writer.yaml do; a flag wins.

  --brokers HOST:PORT,…        KAFKA_BROKERS (localhost:9092)
  --topics NAME,…              KAFKA_LOGS_TOPIC, KAFKA_METRICS_TOPIC, KAFKA_TRACES_TOPIC (avika-logs, avika-metrics, avika-traces)
  --partitions N               KAFKA_PARTITIONS (12)
  --replication-factor N       KAFKA_REPLICATION_FACTOR (2); -1: the broker's default
  --max-message-bytes N        KAFKA_MAX_MESSAGE_BYTES (1048576), the largest batch of records
  --retention D                KAFKA_RETENTION (72h), how long records are kept; 0: the broker's default
  --config NAME=VALUE,…        further settings of the topics, as in min.insync.replicas=2
  --wait D                     how long to wait for the brokers (60s)

  KAFKA_SASL                   {mechanism: SCRAM-SHA-512, username: USER, password: PASSWORD}, also PLAIN and SCRAM-SHA-256
  KAFKA_TLS                    {} for the system's authorities, or {ca_file: FILE, cert_file: FILE, key_file: FILE}
  In both ${env:NAME} stands for another variable.

Standard output has a line for each topic: its name, then "created", "as wanted", "missing", "changed", or "differs" with what it
has and what is wanted. Partitions are never taken away, and the replication factor of a topic is not changed: that is the broker's own
tools' work. Exit code: 0 all is as wanted, 1 failed, 2 usage, 3 topics are missing or differ.
`

// Defaults of the guide, and of the shipped configurations.
const (
	defaultPartitions  = 12
	defaultReplication = 2
	defaultMaxMessage  = 1 << 20
	defaultRetention   = 72 * time.Hour
	defaultWait        = 60 * time.Second
)

type options struct {
	brokers   []string
	wanted    topics.Wanted
	mode      topics.Mode
	wait      time.Duration
	sasl, tls string
}

// parse reads flags, and the environment for what has no flag.
func parse(args []string, stdout io.Writer, getenv func(string) string) (*options, error) {
	o := &options{sasl: getenv("KAFKA_SASL"), tls: getenv("KAFKA_TLS")}
	env := environment{getenv: getenv}
	fs := flag.NewFlagSet("avika-topics", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() { fmt.Fprint(stdout, help) }
	brokers := fs.String("brokers", env.text("KAFKA_BROKERS", "localhost:9092"), "")
	names := fs.String("topics", strings.Join([]string{
		env.text("KAFKA_LOGS_TOPIC", "avika-logs"), env.text("KAFKA_METRICS_TOPIC", "avika-metrics"), env.text("KAFKA_TRACES_TOPIC", "avika-traces"),
	}, ","), "")
	partitions := fs.Int("partitions", env.number("KAFKA_PARTITIONS", defaultPartitions), "")
	replication := fs.Int("replication-factor", env.number("KAFKA_REPLICATION_FACTOR", defaultReplication), "")
	maxMessage := fs.Int("max-message-bytes", env.number("KAFKA_MAX_MESSAGE_BYTES", defaultMaxMessage), "")
	retention := fs.Duration("retention", env.duration("KAFKA_RETENTION", defaultRetention), "")
	settings := fs.String("config", "", "")
	fs.DurationVar(&o.wait, "wait", defaultWait, "")
	check, alter := fs.Bool("check", false, ""), fs.Bool("alter", false, "")
	if err := errors.Join(env.err, fs.Parse(args)); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.brokers = list(*brokers)
	o.mode = topics.Mode{Check: *check, Alter: *alter}
	o.wanted = topics.Wanted{Topics: list(*names), Partitions: *partitions, Replication: *replication}
	err := o.wanted.SetConfig(*maxMessage, *retention, *settings)
	return o, errors.Join(err, o.validate())
}

func (o *options) validate() error {
	var errs error
	if len(o.brokers) == 0 {
		errs = errors.Join(errs, errors.New("--brokers is empty"))
	}
	if len(o.wanted.Topics) == 0 {
		errs = errors.Join(errs, errors.New("--topics is empty"))
	}
	if o.wanted.Partitions < 1 || o.wanted.Partitions > math.MaxInt32 {
		errs = errors.Join(errs, fmt.Errorf("--partitions must be positive, is %d", o.wanted.Partitions))
	}
	if o.wanted.Replication < -1 || o.wanted.Replication == 0 || o.wanted.Replication > math.MaxInt16 {
		errs = errors.Join(errs, fmt.Errorf("--replication-factor must be positive, or -1, is %d", o.wanted.Replication))
	}
	if o.mode.Check && o.mode.Alter {
		errs = errors.Join(errs, errors.New("--check and --alter exclude each other"))
	}
	return errs
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// environment reads variables and keeps the errors.
type environment struct {
	getenv func(string) string
	err    error
}

func (e *environment) text(name, otherwise string) string {
	if v := e.getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (e *environment) number(name string, otherwise int) int {
	v := e.getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		e.err = errors.Join(e.err, fmt.Errorf("%s must be a number, is %q", name, v))
	}
	return n
}

func (e *environment) duration(name string, otherwise time.Duration) time.Duration {
	v := e.getenv(name)
	if v == "" {
		return otherwise
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		e.err = errors.Join(e.err, fmt.Errorf("%s must be a duration as in 72h, is %q", name, v))
	}
	return d
}
