package avikareceiver

import (
	"context"
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// The client library that the Kafka exporter is built on puts each key on a partition of its own.
func TestPartitionKeys(t *testing.T) {
	require.Empty(t, partitionKeys(0))
	partitioner := kgo.StickyKeyPartitioner(kgo.SaramaCompatHasher(func(b []byte) uint32 {
		h := fnv.New32a()
		_, _ = h.Write(b)
		return h.Sum32()
	})).ForTopic("logs")
	for _, n := range []int{1, 2, 3, 12, 100} {
		for want, key := range partitionKeys(n) {
			require.Equal(t, want, partitioner.Partition(&kgo.Record{Key: []byte(key)}, n), "key %q of %d", key, n)
		}
	}
}

func TestPartitionOfAHost(t *testing.T) {
	r := &avikaReceiver{}
	ctx := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{
		"tenant": {"a"}, "Avika.Partition": {"forged"},
	})})
	require.Equal(t, ctx, r.withPartition(ctx, "web-01-10-0-2-15"))
	r.partitions = partitionKeys(12)
	of := func(agent string) []string {
		return client.FromContext(r.withPartition(ctx, agent)).Metadata.Get(partitionMetadata)
	}
	require.Equal(t, of("web-01-10-0-2-15"), of("web-01-10-0-2-16"), "agents of a host")
	require.Equal(t, []string{"a"}, client.FromContext(r.withPartition(ctx, "web")).Metadata.Get("tenant"))
	seen := map[string]int{}
	for i := range 1200 {
		require.Len(t, of("web-1"), 1)
		seen[of(fmt.Sprintf("web-%d-10-0-0-1", i))[0]]++
	}
	require.Len(t, seen, 12)
	for key, hosts := range seen {
		require.Greater(t, hosts, 50, "partition key %s has too few of 1200 hosts", key)
	}
}

func TestDataCarryTheirPartition(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.Partitions = 12 })
	seen := make(chan []string, 1)
	g.consume = func(ctx context.Context, _ plog.Logs) error {
		seen <- client.FromContext(ctx).Metadata.Get(partitionMetadata)
		return nil
	}
	g.start()
	stream := g.dial()
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	require.Len(t, <-seen, 1)
}
