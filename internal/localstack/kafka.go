package localstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// KafkaOptions say where a Kafka broker runs. The zero value means free ports and a temporary folder.
type KafkaOptions struct {
	// Dir holds the data; empty: a temporary folder that Stop removes.
	Dir string
	// Libs is the folder with Kafka's jars; empty: AVIKA_KAFKA_LIBS.
	Libs string
	// Port for clients; 0: a free one.
	Port int
	// Settings are further server properties, "name=value".
	Settings []string
}

// Kafka is a running Apache Kafka of one node, broker and controller (KRaft).
type Kafka struct {
	server
	opts KafkaOptions
}

// StartKafka formats the data folder when it is empty, starts the broker and waits until it accepts connections.
func StartKafka(ctx context.Context, opts KafkaOptions) (*Kafka, error) {
	if opts.Libs == "" {
		opts.Libs = os.Getenv("AVIKA_KAFKA_LIBS")
	}
	java, err := javaFor(opts.Libs)
	if err != nil {
		return nil, err
	}
	controller := 0
	if err := fillPorts(&opts.Port, &controller); err != nil {
		return nil, err
	}
	dir, temporary, err := dataDir(opts.Dir, "kafka")
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	properties := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(properties, []byte(kafkaProperties(opts, controller)), 0o644); err != nil {
		return nil, fmt.Errorf("write Kafka's properties: %w", err)
	}
	command := []string{
		java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(opts.Libs, "*"),
	}
	if err := formatKafka(ctx, command, dir, properties); err != nil {
		return nil, err
	}
	k := &Kafka{opts: opts}
	k.server = server{
		spec: Spec{
			Name: "Kafka", Args: append(command, "kafka.Kafka", properties), LogFile: filepath.Join(dir, "kafka.log"), Dir: dir,
		},
		ready: func(ctx context.Context) error { return dial(ctx, k.Addr()) }, temporary: temporary, grace: stopGrace,
	}
	return k, k.start(ctx)
}

// Addr is host:port for clients.
func (k *Kafka) Addr() string { return address(k.opts.Port) }

const kafkaFormat = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[2]s
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
`

func kafkaProperties(opts KafkaOptions, controller int) string {
	text := fmt.Sprintf(kafkaFormat, address(opts.Port), address(controller), filepath.Join(opts.Dir, "data"))
	for _, setting := range opts.Settings {
		text += setting + "\n"
	}
	return text
}

// kafkaCluster is the cluster id of all brokers here: 16 bytes in base64.
const kafkaCluster = "YXZpa2EtbG9jYWxzdGFjaw"

func formatKafka(ctx context.Context, command []string, dir, properties string) error {
	if _, err := os.Stat(filepath.Join(dir, "data", "meta.properties")); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	args := append(command[1:len(command):len(command)], "kafka.tools.StorageTool", "format", "-t", kafkaCluster, "-c", properties)
	cmd := exec.CommandContext(ctx, command[0], args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create a Kafka data folder: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func javaFor(libs string) (string, error) {
	if libs == "" {
		return "", errors.New("AVIKA_KAFKA_LIBS does not name the folder with Kafka's jars (make test-kafka fetches them)")
	}
	if found, _ := filepath.Glob(filepath.Join(libs, "kafka_*.jar")); len(found) == 0 {
		return "", fmt.Errorf("there is no kafka_*.jar in %s (make test-kafka fetches them)", libs)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", errors.New("java is not installed (Debian: apt-get install default-jre-headless)")
	}
	return java, nil
}

// HaveKafka tells whether StartKafka can work here, and why not.
func HaveKafka() error {
	_, err := javaFor(os.Getenv("AVIKA_KAFKA_LIBS"))
	return err
}
