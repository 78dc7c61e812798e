package avikareceiver

import (
	"context"
	"hash/fnv"
	"strconv"

	"go.opentelemetry.io/collector/client"

	"github.com/avika-ai/avika-collector/internal/agentid"
)

// partitionMetadata is the client metadata that says which partition of a Kafka topic an agent's data belong to.
const partitionMetadata = "avika.partition"

// partitionKeys are the keys of records for n partitions: the Kafka exporter's default partitioner puts a record with key i on
// partition i. Each is the smallest number with that property, as text.
func partitionKeys(n int) []string {
	keys := make([]string, n)
	for found, number := 0, 0; found < n; number++ {
		key := strconv.Itoa(number)
		if p := partitionOf(key, n); keys[p] == "" {
			keys[p] = key
			found++
		}
	}
	return keys
}

// partitionOf is the partition of a key in Sarama, whose ways the exporter keeps: FNV-1a as a signed number, without its sign.
func partitionOf(key string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	p := int32(h.Sum32()) % int32(n) //nolint:gosec // the sign is taken off below, as Sarama does
	if p < 0 {
		p = -p
	}
	return int(p)
}

// withPartition adds the partition of an agent's host to the metadata of a context, when there are partitions.
func (r *avikaReceiver) withPartition(ctx context.Context, agentID string) context.Context {
	n := len(r.partitions)
	if n == 0 {
		return ctx
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(agentid.Host(agentID)))
	info := client.FromContext(ctx)
	metadata := map[string][]string{partitionMetadata: {r.partitions[h.Sum64()%uint64(n)]}}
	for key := range info.Metadata.Keys() {
		if key != partitionMetadata { // a client may send what it likes
			metadata[key] = info.Metadata.Get(key)
		}
	}
	info.Metadata = client.NewMetadata(metadata)
	return client.NewContext(ctx, info)
}
