package localstack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// stopGrace is how long a server may take to end by itself, also on a machine that is busy otherwise.
const stopGrace = time.Minute

// ClickHouseOptions say where a ClickHouse server runs. The zero value means free ports and a temporary folder.
type ClickHouseOptions struct {
	// Dir holds the data; empty: a temporary folder that Stop removes.
	Dir string
	// TCPPort (native protocol) and HTTPPort; 0: a free one.
	TCPPort, HTTPPort int
	// ConfigFile is a ClickHouse configuration (XML or YAML) with remote_servers, users and the like; paths and ports
	// come from these options. Its users count only when its key users_config names the file that has them, which may
	// be itself. Empty: the user `default` without a password.
	ConfigFile string
	// LogFile receives the server's output; empty: clickhouse.log in Dir.
	LogFile string
	// Launcher is the command line that runs engine.Main, to hold the engine when no `clickhouse` is on PATH. Empty:
	// cmd/localstack at AVIKA_LOCALSTACK, else built from this repository.
	Launcher []string
}

// ClickHouse is a running server.
type ClickHouse struct {
	server
	opts ClickHouseOptions
}

// StartClickHouse starts a server and waits until it answers.
func StartClickHouse(ctx context.Context, opts ClickHouseOptions) (*ClickHouse, error) {
	if err := fillPorts(&opts.TCPPort, &opts.HTTPPort); err != nil {
		return nil, err
	}
	dir, temporary, err := dataDir(opts.Dir, "clickhouse")
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	if opts.LogFile == "" {
		opts.LogFile = filepath.Join(dir, "clickhouse.log")
	}
	spec, err := clickHouseSpec(ctx, opts)
	if err != nil {
		return nil, err
	}
	c := &ClickHouse{opts: opts}
	c.server = server{spec: spec, ready: c.ping, temporary: temporary, grace: stopGrace}
	return c, c.start(ctx)
}

// Addr is host:port of the native protocol.
func (c *ClickHouse) Addr() string { return address(c.opts.TCPPort) }

// HTTPAddr is host:port of the HTTP interface.
func (c *ClickHouse) HTTPAddr() string { return address(c.opts.HTTPPort) }

// Dir is the data folder.
func (c *ClickHouse) Dir() string { return c.opts.Dir }

func (c *ClickHouse) ping(ctx context.Context) error {
	if err := dial(ctx, c.Addr()); err != nil {
		return err
	}
	return httpOK(ctx, "http://"+c.HTTPAddr()+"/ping")
}

func httpOK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// clickHouseSpec prefers a ClickHouse on PATH to the engine from npm, which ends when its standard input does.
func clickHouseSpec(ctx context.Context, opts ClickHouseOptions) (Spec, error) {
	spec := Spec{Name: "ClickHouse", LogFile: opts.LogFile, DeathSignal: syscall.SIGKILL}
	var err error
	if binary, ok := clickHouseBinary(); ok {
		spec.Args, err = serverCommand(binary, opts)
		return spec, err
	}
	spec.HoldStdin = true
	spec.Args, err = engineCommand(ctx, opts)
	return spec, err
}

func engineCommand(ctx context.Context, opts ClickHouseOptions) ([]string, error) {
	library, err := EngineLibrary()
	if err != nil {
		return nil, err
	}
	launcher, err := findLauncher(ctx, opts.Launcher)
	if err != nil {
		return nil, err
	}
	args := append(append([]string(nil), launcher...), "--library", library, "--path", opts.Dir,
		"--tcp-port", strconv.Itoa(opts.TCPPort), "--http-port", strconv.Itoa(opts.HTTPPort))
	if opts.ConfigFile != "" {
		args = append(args, "--config-file", opts.ConfigFile)
	}
	return args, nil
}

// dataDir makes the folder, or a temporary one when dir is empty.
func dataDir(dir, name string) (path, temporary string, err error) {
	if dir == "" {
		temporary, err = os.MkdirTemp("", "avika-"+name+"-")
		if err != nil {
			return "", "", fmt.Errorf("make a data folder: %w", err)
		}
		return temporary, temporary, nil
	}
	dir, err = filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", "", fmt.Errorf("make the data folder: %w", err)
	}
	return dir, "", nil
}
