package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// Queue is a broker with names of topics and of a consumer group that are the test's own.
type Queue struct {
	Addr  string
	names string
	// Security are KAFKA_SASL and KAFKA_TLS, where the broker wants them.
	Security []string
	// Client reads and writes records beside the gateways.
	Client *kgo.Client
	Admin  *kadm.Client
}

// StartQueue finds a broker: the one at KAFKA_BROKERS, else kfake, which speaks the protocol in this process.
func StartQueue(t testing.TB) *Queue {
	t.Helper()
	if addr := os.Getenv("KAFKA_BROKERS"); addr != "" {
		return NewQueue(t, addr)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return NewQueue(t, cluster.ListenAddrs()[0])
}

// StartKafka runs an Apache Kafka of the test's own.
func StartKafka(t testing.TB) *localstack.Kafka {
	t.Helper()
	needs(t, localstack.HaveKafka())
	k, err := localstack.StartKafka(startContext(t), localstack.KafkaOptions{Dir: tempDir(t)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, k.Stop()) })
	showLogOnFailure(t, "Kafka", k.LogFile())
	return k
}

// NewQueue uses a broker that runs; opts are for the client of the test.
func NewQueue(t testing.TB, addr string, opts ...kgo.Opt) *Queue {
	t.Helper()
	var id [4]byte
	_, _ = rand.Read(id[:])
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	q := &Queue{Addr: addr, names: "test-" + hex.EncodeToString(id[:]) + "-", Client: client, Admin: kadm.NewClient(client)}
	t.Cleanup(func() {
		_, _ = q.Admin.DeleteTopics(context.Background(), q.Topic("logs"), q.Topic("metrics"), q.Topic("traces"))
	})
	return q
}

// Topic of a signal.
func (q *Queue) Topic(signal string) string { return q.names + signal }

// Group of the writers.
func (q *Queue) Group() string { return q.names + "writer" }

// Env are the settings that ingest.yaml, writer.yaml and avika-topics take.
func (q *Queue) Env() []string {
	return append([]string{
		"KAFKA_BROKERS=" + q.Addr, "KAFKA_LOGS_TOPIC=" + q.Topic("logs"), "KAFKA_METRICS_TOPIC=" + q.Topic("metrics"),
		"KAFKA_TRACES_TOPIC=" + q.Topic("traces"), "KAFKA_GROUP=" + q.Group(), "KAFKA_REPLICATION_FACTOR=1",
	}, q.Security...)
}
