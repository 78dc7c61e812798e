package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// serverConfig is the server tuning of the scaling guide, and the log of parts, from which ages of rows are found. The
// guide's limit of memory is for a server of 16 GiB; here 0.5 of the machine leaves room for the rest.
const serverConfig = `<clickhouse>
  <mark_cache_size>134217728</mark_cache_size>
  <max_server_memory_usage_to_ram_ratio>0.5</max_server_memory_usage_to_ram_ratio>
  <max_connections>1000</max_connections>
  <max_concurrent_queries>200</max_concurrent_queries>
  <background_pool_size>16</background_pool_size>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <part_log>
    <database>system</database>
    <table>part_log</table>
    <flush_interval_milliseconds>1000</flush_interval_milliseconds>
  </part_log>
  <users_config>%s</users_config>
  <user_directories><users_xml><path>%s</path></users_xml></user_directories>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
  </users>
</clickhouse>
`

// ClickHouse is a fresh server with a connection to it.
type ClickHouse struct {
	*localstack.ClickHouse
	Conn    driver.Conn
	Version string
}

// ClickHouseDir is the folder with ClickHouse's tables, in that of all data; it may be there already.
const ClickHouseDir = "clickhouse"

// StartClickHouse runs a server with data, configuration and log in dir.
func StartClickHouse(ctx context.Context, root, dir string) (*ClickHouse, error) {
	config := filepath.Join(dir, "clickhouse.xml")
	if err := os.WriteFile(config, fmt.Appendf(nil, serverConfig, config, config), 0o600); err != nil {
		return nil, fmt.Errorf("write ClickHouse's configuration: %w", err)
	}
	launcher, err := built(root, "bin/localstack", "make build")
	if err != nil {
		return nil, err
	}
	server, err := localstack.StartClickHouse(ctx, localstack.ClickHouseOptions{
		Dir: filepath.Join(dir, ClickHouseDir), ConfigFile: config, LogFile: filepath.Join(dir, "clickhouse.log"),
		Launcher: []string{launcher, "clickhouse"},
	})
	if err != nil {
		return nil, err
	}
	c := &ClickHouse{ClickHouse: server}
	c.Conn, err = clickhouse.Open(&clickhouse.Options{
		Addr: []string{server.Addr()}, DialTimeout: 5 * time.Second, ReadTimeout: 10 * time.Minute, MaxOpenConns: 4,
	})
	if err == nil {
		err = c.Conn.QueryRow(ctx, "SELECT version()").Scan(&c.Version)
	}
	if err != nil {
		_ = server.Stop()
		return nil, fmt.Errorf("connect to ClickHouse: %w", err)
	}
	return c, nil
}
