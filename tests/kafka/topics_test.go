package kafka

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/avika-ai/avika-collector/tests/harness"
)

func TestTopics(t *testing.T) {
	t.Parallel()
	q := harness.StartQueue(t)
	logs, metrics := q.Topic("logs"), q.Topic("metrics")

	out, code := avikaTopics(t, q, "--check")
	assert.Equal(t, 3, code)
	assert.Contains(t, out, logs+": missing\n")
	out, code = avikaTopics(t, q)
	assert.Zero(t, code, out)
	assert.Contains(t, out, logs+": created\n"+metrics+": created\n")
	out, code = avikaTopics(t, q)
	assert.Zero(t, code, out)
	assert.Contains(t, out, logs+": as wanted\n")

	out, code = avikaTopics(t, q, "--partitions", "16", "--retention", "24h", "--replication-factor", "-1", "--topics", logs)
	assert.Equal(t, 3, code)
	assert.Contains(t, out, logs+": differs: partitions 12, wanted 16, retention.ms 259200000, wanted 86400000\n")
	out, code = avikaTopics(t, q, "--partitions", "16", "--retention", "24h", "--topics", logs, "--alter")
	assert.Zero(t, code, out)
	assert.Contains(t, out, logs+": changed\n")
	out, code = avikaTopics(t, q, "--topics", logs)
	assert.Equal(t, 3, code)
	assert.Contains(t, out, "partitions 16, wanted 12")
	out, code = avikaTopics(t, q, "--topics", logs, "--alter")
	assert.Equal(t, 3, code, "partitions are never taken away")
	assert.Contains(t, out, logs+": differs: partitions 16, wanted 12\n")
	out, code = avikaTopics(t, q, "--topics", metrics, "--replication-factor", "2")
	assert.Equal(t, 3, code)
	assert.Contains(t, out, metrics+": differs: replication factor 1, wanted 2\n")
}

func TestTopicsUsage(t *testing.T) {
	t.Parallel()
	q := &harness.Queue{Addr: "127.0.0.1:1"}
	for want, args := range map[string][]string{
		"--partitions must be positive, is 0":          {"--partitions", "0"},
		"--replication-factor must be positive, or -1": {"--replication-factor", "0"},
		`setting "x" is not NAME=VALUE`:                {"--config", "x"},
		"max.message.bytes must be positive, is -1":    {"--max-message-bytes", "-1"},
		"--check and --alter exclude each other":       {"--check", "--alter"},
		`unexpected argument "now"`:                    {"now"},
		"flag provided but not defined: -replicas":     {"--replicas", "2"},
	} {
		out, code := avikaTopics(t, q, args...)
		assert.Equal(t, 2, code, out)
		assert.Contains(t, out, want)
	}
	out, code := avikaTopics(t, q, "--wait", "100ms")
	assert.Equal(t, 1, code, out)
	assert.Contains(t, out, "no broker answers")
	out, code = avikaTopics(t, q, "--help")
	assert.Zero(t, code)
	assert.Contains(t, out, "KAFKA_PARTITIONS (12)")
}
