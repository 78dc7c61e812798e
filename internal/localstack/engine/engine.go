//go:build unix

// Package engine runs ClickHouse's engine from libchdb inside this process, as a server.
package engine

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/ebitengine/purego"
)

// Options say what the server listens on and where its data are.
type Options struct {
	// Library is the path of libchdb.so.
	Library string
	// Path is the data folder.
	Path string
	// ConfigFile is a ClickHouse configuration; may be empty.
	ConfigFile string
	// TCPPort and HTTPPort are loopback ports.
	TCPPort, HTTPPort int
}

// listenUntilEOF opens the ports, then reads lines that never come: the query, and with it the server, ends with
// standard input.
const listenUntilEOF = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; " +
	"SELECT * FROM file('/dev/stdin', 'LineAsString') FORMAT Null"

// Run serves until standard input closes. A process can run one engine, once.
func Run(opts Options) (err error) {
	lib, err := purego.Dlopen(opts.Library, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load ClickHouse's engine: %w", err)
	}
	var cmdline func(argc int32, argv **byte) *uintptr
	purego.RegisterLibFunc(&cmdline, lib, "chdb_query_cmdline")
	args := arguments(opts)
	pointers := make([]*byte, len(args)+1)
	for i, arg := range args {
		pointers[i] = &append([]byte(arg), 0)[0]
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	for _, p := range pointers[:len(args)] {
		pin.Pin(p)
	}
	cmdline(int32(len(args)), &pointers[0])
	runtime.KeepAlive(pointers)
	return nil
}

func arguments(opts Options) []string {
	args := []string{
		"clickhouse", "--path=" + opts.Path, "--listen_host=127.0.0.1",
		"--tcp_port=" + strconv.Itoa(opts.TCPPort), "--http_port=" + strconv.Itoa(opts.HTTPPort),
		"--query=" + listenUntilEOF,
	}
	if opts.ConfigFile != "" {
		args = append(args, "--config-file="+opts.ConfigFile)
	}
	return args
}
