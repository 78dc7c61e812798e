package localstack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const host = "127.0.0.1"

// Ports are drawn from below the range from which systems take the local ports of outgoing connections: a server that is
// restarted on its port must not find it taken by one.
const lowestPort, highestPort = 20000, 32000

// drawn counts up from a random number: no port is given twice, also while the server that has it is down for a moment.
var drawn atomic.Uint32

func init() { drawn.Store(rand.Uint32N(highestPort - lowestPort)) }

// FreePorts finds n different loopback TCP ports that nothing listens on at the time of the call, and that no earlier call has
// given to this process (of the last 12,000).
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for tries := 0; len(ports) < n; tries++ {
		port := lowestPort + int(drawn.Add(1)%(highestPort-lowestPort))
		l, err := net.Listen("tcp", address(port))
		if err == nil {
			_ = l.Close()
			ports = append(ports, port)
		} else if tries > 1000 {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
	}
	return ports, nil
}

// PortInUse tells whether something else holds a port of the address.
func PortInUse(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = l.Close()
	return false
}

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// fillPorts replaces zeros by free ports.
func fillPorts(ports ...*int) error {
	free, err := FreePorts(len(ports))
	if err != nil {
		return err
	}
	for i, p := range ports {
		if *p == 0 {
			*p = free[i]
		}
	}
	return nil
}

// waitReady calls ready until it succeeds, the process ends or ctx does.
func waitReady(ctx context.Context, p *Process, ready func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := tryOnce(ctx, ready)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("%s ended before it was ready: %w\n%s", p.spec.Name, exitError(p), Tail(p.LogFile(), 20))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w): %w\n%s", p.spec.Name, err, context.Cause(ctx), Tail(p.LogFile(), 20))
		case <-tick.C:
		}
	}
}

func tryOnce(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return ready(ctx)
}

func exitError(p *Process) error {
	if err := p.Err(); err != nil {
		return err
	}
	return errors.New("exit status 0")
}

// RepositoryRoot is the nearest folder upwards from the working directory that holds this project's builder-config.yaml.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "builder-config.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the repository: no builder-config.yaml in the working directory or above")
		}
		dir = parent
	}
}
