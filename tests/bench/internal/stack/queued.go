package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// writerConfig reads what gateways with ingest.yaml have put into Kafka.
const writerConfig = "writer.yaml"

// startQueued starts Kafka, the gateways that take rows in, and one that writes them to ClickHouse.
func (s *Stack) startQueued(ctx context.Context, opts *Options) (err error) {
	topics, err := built(opts.Root, "bin/avika-topics", "make build")
	if err != nil {
		return err
	}
	if s.Kafka, err = localstack.StartKafka(ctx, localstack.KafkaOptions{}); err != nil {
		return err
	}
	s.stops = append(s.stops, s.Kafka.Stop)
	env := []string{"KAFKA_BROKERS=" + s.Kafka.Addr(), "KAFKA_REPLICATION_FACTOR=1"}
	command := exec.CommandContext(ctx, topics)
	command.Env = append(os.Environ(), env...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("make the topics: %w\n%s", err, out)
	}
	if err := s.startReplicas(ctx, opts, "ingest", "ingest.yaml", env); err != nil {
		return err
	}
	return s.startGateway(ctx, opts, "writer", writerConfig, env)
}
