package chbatchexporter

import (
	"context"

	"go.opentelemetry.io/collector/client"
)

// recordName names the record of a Kafka topic that a call brings, as contrib's Kafka receiver tells it in the client's metadata. It
// is empty for other callers, and when records are not identified.
func (c *Config) recordName(ctx context.Context) string {
	if !c.IdentifyRecords {
		return ""
	}
	metadata := client.FromContext(ctx).Metadata
	name := "kafka"
	for _, key := range []string{"kafka.topic", "kafka.partition", "kafka.offset"} {
		// The receiver's own value is the first: headers of the record come behind it.
		values := metadata.Get(key)
		if len(values) == 0 {
			return ""
		}
		name += "/" + values[0]
	}
	return name
}
