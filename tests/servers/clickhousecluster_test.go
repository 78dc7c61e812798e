package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

const clusterFolder = "deploy/clickhouse/cluster"

func clusterEnvironment(t *testing.T) {
	t.Helper()
	t.Setenv("AVIKA_CLUSTER_SECRET", "of the cluster")
	t.Setenv("SHARD", "2")
	t.Setenv("REPLICA", "clickhouse-2-1")
}

// TestClickHouseClusterFiles: a server with the shipped cluster files knows two shards of two replicas, and who it is. It
// does so without its Keeper, which the engine of these tests does not have.
func TestClickHouseClusterFiles(t *testing.T) {
	clusterEnvironment(t)
	ch := startTuned(t, "deploy/clickhouse", clusterFolder)
	var replicas []struct {
		Shard, Replica uint32
		Host           string
	}
	require.True(t, ch.Select(t, &replicas,
		"SELECT shard_num AS Shard, replica_num AS Replica, host_name AS Host FROM system.clusters WHERE cluster = 'avika' ORDER BY ALL"))
	require.Len(t, replicas, 4)
	for _, r := range replicas {
		assert.Equal(t, fmt.Sprintf("clickhouse-%d-%d", r.Shard, r.Replica), r.Host)
	}
	for macro, want := range map[string]string{"cluster": "avika", "shard": "2", "replica": "clickhouse-2-1"} {
		assert.Equal(t, want, ch.String(t, "SELECT substitution FROM system.macros WHERE macro = ?", macro), macro)
	}
	assert.Equal(t, "128", ch.String(t, "SELECT value FROM system.server_settings WHERE name = 'background_schedule_pool_size'"))
	assert.Contains(t, ch.String(t, "SELECT arrayStringConcat(groupArray(access_type), ',') FROM system.grants WHERE user_name = 'avika'"), "CLUSTER")
}

// TestClickHouseShards: the gateway with the shipped cluster/gateway.yaml divides rows among the shards, and the
// Distributed tables show them all, to the gateways' user and to dashboards. Two servers stand for two shards; Replicated
// engines and DDL ON CLUSTER, which need a Keeper, are taken out of the schema.
func TestClickHouseShards(t *testing.T) {
	clusterEnvironment(t)
	shards := startShards(t)
	g := harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: shards[0].Addr() + "," + shards[1].Addr(),
		Args: []string{
			"--config", filepath.Join(harness.Root(t), clusterFolder, "gateway.yaml"),
			"--set=exporters::ch_batch::create_schema=false",
		},
		Env: []string{"CLICKHOUSE_USERNAME=avika", "CLICKHOUSE_PASSWORD=" + gatewayPassword},
	})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "16", "--rate", "200", "--total", "4000")
	count := "SELECT uniqExact(request_id) FROM nginx_analytics."
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, shard := range shards {
			assert.EqualValues(c, 4000, shard.Uint(c, count+"access_logs"))
		}
	}, harness.WaitFor, harness.Tick)
	for _, shard := range shards {
		assert.NotZero(t, shard.Uint(t, count+"access_logs_local"))
		reader := userOf(t, shard, "avika_reader", readerPassword)
		var n uint64
		require.NoError(t, reader.conn.QueryRow(context.Background(), "SELECT count() FROM nginx_analytics.access_logs").Scan(&n))
		assert.EqualValues(t, 4000, n)
	}
}

// startShards runs two servers with the shipped files, each shard with the one replica that there is here, and the
// exporter's schema for a cluster without what needs a Keeper.
func startShards(t *testing.T) []*harness.ClickHouse {
	t.Helper()
	ports := harness.Ports(t, 2)
	root := harness.Root(t)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(filepath.Join(root, clusterFolder))))
	file := filepath.Join(folder, "config.d", "cluster.xml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(oneReplica(string(text), ports)), 0o644))
	var shards []*harness.ClickHouse
	for _, port := range ports {
		ch := startTunedAt(t, localstack.ClickHouseOptions{TCPPort: port}, filepath.Join(root, "deploy/clickhouse"), folder)
		for _, statement := range schemaWithoutKeeper(t) {
			ch.Exec(t, statement)
		}
		shards = append(shards, ch)
	}
	return shards
}

var secondReplica = regexp.MustCompile(`<replica><host>clickhouse-\d-2</host>.*</replica>`)

func oneReplica(cluster string, ports []int) string {
	cluster = secondReplica.ReplaceAllString(cluster, "")
	for i, port := range ports {
		cluster = strings.Replace(cluster, fmt.Sprintf("<host>clickhouse-%d-1</host><port>9000</port>", i+1),
			fmt.Sprintf("<host>127.0.0.1</host><port>%d</port>", port), 1)
	}
	return cluster
}

// needsKeeper is what stands in the schema for a cluster and not in that of one server.
var needsKeeper = strings.NewReplacer(" ON CLUSTER `main`", "", "Replicated", "", "replicated_deduplication_window_seconds = 604800, ", "",
	"replicated_deduplication_window", "non_replicated_deduplication_window", "storage_policy = 'tiered', ", "", "'main'", "'avika'")

func schemaWithoutKeeper(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "exporter/chbatchexporter/internal/schema/testdata/cluster.sql"))
	require.NoError(t, err)
	out := []string{"CREATE DATABASE nginx_analytics"}
	for _, statement := range strings.Split(needsKeeper.Replace(string(text)), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			out = append(out, statement)
		}
	}
	return out
}
