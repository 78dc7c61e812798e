// Package stack starts what a scenario runs on, fresh each time: ClickHouse, PostgreSQL and gateways with a shipped
// configuration, or a peer in the place of the gateways.
package stack

import (
	"fmt"
	"slices"
	"strings"
)

// Profiles are sets of the settings that the scaling guide names.
const (
	// Default: nothing is set, the shipped defaults hold.
	Default = "default"
	// Enterprise is the guide's column of that name.
	Enterprise = "enterprise"
)

// profiles are environment variables of the gateway, docs/configuration.md.
var profiles = map[string][]string{
	Default: nil,
	Enterprise: {
		"GOGC=100", "GOMEMLIMIT=1800MiB", "GOMAXPROCS=4",
		"CH_LOG_BUFFER_SIZE=500000", "CH_SPAN_BUFFER_SIZE=1000000", "CH_LOG_BATCH_SIZE=50000", "CH_SPAN_BATCH_SIZE=100000",
		"CH_FLUSH_INTERVAL_MS=50", "CH_MAX_OPEN_CONNS=50",
	},
}

// Subjects are what is measured.
const (
	Gateway = "gateway" // ours, with gateway.yaml
	Contrib = "contrib" // a collector with contrib's ClickHouse exporter, tests/peer
	Ours    = "ours"    // ours, with the configuration that contrib's is compared with, tests/peer
	Receive = "receive" // a gRPC server that takes messages and does nothing: the floor of receiving
	Inserts = "inserts" // no gateway: blocks that are encoded already go to ClickHouse: the floor of inserting
)

// Options say what to start.
type Options struct {
	Dir      string // of all data and logs
	Root     string // of the repository
	Subject  string
	Profile  string
	Queue    string // disk, as shipped, or memory
	Spans    bool   // made of access records, as shipped
	Replicas int
	Queued   bool     // through Kafka, with ingest.yaml and writer.yaml
	Env      []string // further settings of the gateway, NAME=value
	Set      []string // keys of its configuration, as --set takes them
	Binary   string   // of the gateway; empty: bin/otelcol-avika
}

// Queues.
const (
	Disk   = "disk"
	Memory = "memory"
)

func (o *Options) validate() error {
	if _, ok := profiles[o.Profile]; !ok {
		return fmt.Errorf("profile %q: want %s or %s", o.Profile, Default, Enterprise)
	}
	if !slices.Contains([]string{Disk, Memory}, o.Queue) {
		return fmt.Errorf("queue %q: want %s or %s", o.Queue, Disk, Memory)
	}
	if subjects := []string{Gateway, Ours, Contrib, Receive, Inserts}; !slices.Contains(subjects, o.Subject) {
		return fmt.Errorf("subject %q: want one of %s", o.Subject, strings.Join(subjects, ", "))
	}
	if o.Replicas < 1 || o.Replicas > 16 {
		return fmt.Errorf("replicas %d: want 1 to 16", o.Replicas)
	}
	return nil
}

// GatewayEnv is what a gateway finds in its environment beside addresses.
func (o *Options) GatewayEnv() []string { return append(slices.Clone(profiles[o.Profile]), o.Env...) }

// gatewayArgs change the shipped configuration as far as the options ask for it.
func (o *Options) gatewayArgs(config string) []string {
	var args []string
	for _, set := range o.Set {
		args = append(args, "--set="+set)
	}
	if o.Queue == Memory && !o.Queued {
		args = append(args, "--set=exporters::ch_batch::sending_queue::storage=null")
	}
	if !o.Spans && config != writerConfig {
		args = append(args, "--set=receivers::avika::spans::enabled=false")
	}
	return args
}
