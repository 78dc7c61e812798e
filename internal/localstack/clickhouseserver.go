package localstack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// serverConfig is the least that `clickhouse server` starts with.
const serverConfig = `<clickhouse>
  <logger><level>warning</level><console>1</console></logger>
  <mark_cache_size>134217728</mark_cache_size>
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
  <user_directories><users_xml><path>%s</path></users_xml></user_directories>
</clickhouse>
`

// serverCommand is the command line for an installed ClickHouse.
func serverCommand(binary string, opts ClickHouseOptions) ([]string, error) {
	config := opts.ConfigFile
	if config == "" {
		config = filepath.Join(opts.Dir, "server.xml")
		if err := os.WriteFile(config, fmt.Appendf(nil, serverConfig, config), 0o644); err != nil {
			return nil, fmt.Errorf("write ClickHouse's configuration: %w", err)
		}
	}
	return []string{
		binary, "server", "--config-file=" + config, "--",
		"--path=" + opts.Dir + "/", "--tmp_path=" + opts.Dir + "/tmp/", "--listen_host=" + host,
		"--tcp_port=" + strconv.Itoa(opts.TCPPort), "--http_port=" + strconv.Itoa(opts.HTTPPort),
	}, nil
}
