package localstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// server is a process that can be ended and started again on the same ports and data.
type server struct {
	spec      Spec
	ready     func(context.Context) error
	temporary string // removed by Stop
	grace     time.Duration

	restarting sync.Mutex // one at a time: they take the same ports

	mu      sync.Mutex
	process *Process
	wanted  bool // to run: nobody has ended it
}

// start runs the process and waits until it answers; a server that does not is ended.
func (s *server) start(ctx context.Context) error {
	p, err := StartProcess(s.spec)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.process, s.wanted = p, true
	s.mu.Unlock()
	if err := waitReady(ctx, p, s.ready); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

func (s *server) current() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// PID is the process id of the server as it runs now.
func (s *server) PID() int { return s.current().PID() }

// Done is closed when the server, as it runs now, has ended.
func (s *server) Done() <-chan struct{} { return s.current().Done() }

// LogFile is where the server's output goes.
func (s *server) LogFile() string { return s.spec.LogFile }

// Kill ends the server with SIGKILL, as a power failure would for its memory. Restart brings it back.
func (s *server) Kill() error { return s.unwanted().Kill() }

// Pause freezes the server: connections stay open and nothing answers.
func (s *server) Pause() error { return s.current().Pause() }

// Resume undoes Pause.
func (s *server) Resume() error { return s.current().Resume() }

// Signal sends a signal to the server's main process.
func (s *server) Signal(sig syscall.Signal) error { return s.current().Signal(sig) }

// Shutdown ends the server gracefully and keeps its data; Restart brings it back.
func (s *server) Shutdown() error { return s.unwanted().Stop(s.grace) }

// unwanted returns the process, which is about to be ended.
func (s *server) unwanted() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = false
	return s.process
}

// Revive starts a server again that has aborted by itself, as a supervisor would, and reports whether it has. One that aborts while it is
// being ended stays down.
func (s *server) Revive(ctx context.Context) (revived bool, err error) {
	s.restarting.Lock()
	defer s.restarting.Unlock()
	s.mu.Lock()
	revived = s.wanted && s.process.aborted()
	s.mu.Unlock()
	if !revived {
		return false, nil
	}
	return true, s.start(ctx)
}

// Restart starts the server again on the same ports and data, after a graceful end when it still runs.
func (s *server) Restart(ctx context.Context) error {
	s.restarting.Lock()
	defer s.restarting.Unlock()
	if err := s.Shutdown(); err != nil {
		return err
	}
	return s.start(ctx)
}

// Stop ends the server gracefully and removes its data when they are temporary. It may be called again.
func (s *server) Stop() error {
	err := s.Shutdown()
	if s.temporary != "" {
		err = errors.Join(err, os.RemoveAll(s.temporary))
	}
	return err
}

func dial(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return conn.Close()
}

// Err tells how the server ended; nil while it runs.
func (s *server) Err() error { return s.current().Err() }
