package kafka

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// TestMain starts one Apache Kafka for all tests where its jars are, unless KAFKA_BROKERS names a broker.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("KAFKA_BROKERS") != "" || localstack.HaveKafka() != nil {
		return m.Run()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker, err := localstack.StartKafka(ctx, localstack.KafkaOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = broker.Stop() }()
	_ = os.Setenv("KAFKA_BROKERS", broker.Addr())
	return m.Run()
}
