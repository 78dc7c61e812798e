package localstack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Spec describes a child process.
type Spec struct {
	// Name is used in messages.
	Name string
	// Args is the command line; Args[0] is a path or a name on PATH.
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Dir is the working directory; empty: that of this process.
	Dir string
	// LogFile receives standard output and error, appended; empty: they are discarded.
	LogFile string
	// StopSignal asks for a graceful end, default SIGTERM. It is also what the kernel sends (Linux) when this process
	// dies without stopping its child, unless DeathSignal says otherwise.
	StopSignal, DeathSignal syscall.Signal
	// HoldStdin keeps a pipe open as standard input; Stop closes it instead of sending StopSignal.
	HoldStdin bool

	credential *syscall.Credential
}

// Process is a running child in a process group of its own, so that a Ctrl-C at the terminal reaches only its parent.
type Process struct {
	spec  Spec
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
	err   error // valid after done is closed
	once  sync.Once
}

// StartProcess starts the command. It does not wait for it to be ready.
func StartProcess(spec Spec) (*Process, error) {
	p := &Process{spec: spec, done: make(chan struct{})}
	if p.spec.StopSignal == 0 {
		p.spec.StopSignal = syscall.SIGTERM
	}
	if p.spec.DeathSignal == 0 {
		p.spec.DeathSignal = p.spec.StopSignal
	}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return p, nil
}

// run starts the child and waits for it on one locked thread: the kernel sends the death signal when the thread that
// started the child ends, so this thread has to live as long as the child.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	log, err := p.open()
	if err != nil {
		started <- err
		return
	}
	err = p.cmd.Start()
	if log != nil {
		_ = log.Close() // the child has its own descriptor
	}
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

func (p *Process) open() (*os.File, error) {
	cmd := exec.Command(p.spec.Args[0], p.spec.Args[1:]...)
	cmd.Env = append(os.Environ(), p.spec.Env...)
	cmd.Dir = p.spec.Dir
	cmd.SysProcAttr = sysProcAttr(p.spec)
	p.cmd = cmd
	if p.spec.HoldStdin {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		p.stdin = stdin
	}
	if p.spec.LogFile == "" {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(p.spec.LogFile), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(p.spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	return log, nil
}

// PID is the child's process id, also after it ended.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the child ended; nil while it runs and after exit code 0.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// aborted tells whether the child ended itself because of a defect of its own.
func (p *Process) aborted() bool {
	var exit *exec.ExitError
	if !errors.As(p.Err(), &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGABRT
}

// LogFile is where the child's output goes.
func (p *Process) LogFile() string { return p.spec.LogFile }

// Signal sends a signal to the child alone.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.spec.Name, err)
	}
	return nil
}

// Kill ends the child and everything it started with SIGKILL and waits for the child.
func (p *Process) Kill() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	// Freeze first, so that no new descendant appears while they are listed.
	_ = p.Signal(syscall.SIGSTOP)
	family := descendants(p.PID())
	err := p.Signal(syscall.SIGKILL)
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	waitGone(family)
	p.closeStdin()
	return err
}

// Pause freezes the child and everything it started (SIGSTOP): connections stay open and nothing answers.
func (p *Process) Pause() error { return p.signalFamily(syscall.SIGSTOP) }

// Resume undoes Pause.
func (p *Process) Resume() error { return p.signalFamily(syscall.SIGCONT) }

func (p *Process) signalFamily(sig syscall.Signal) error {
	err := p.Signal(sig)
	for _, pid := range descendants(p.PID()) {
		if kerr := syscall.Kill(pid, sig); kerr != nil && !errors.Is(kerr, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("signal child %d of %s: %w", pid, p.spec.Name, kerr))
		}
	}
	return err
}

// Stop ends the child gracefully, and with SIGKILL when it has not ended within grace. It may be called again.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.Resume()
	if p.spec.HoldStdin {
		p.closeStdin()
	} else if err := p.Signal(p.spec.StopSignal); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not stop within %s and was killed", p.spec.Name, grace), p.Kill())
	}
}

func (p *Process) closeStdin() {
	p.once.Do(func() {
		if p.stdin != nil {
			_ = p.stdin.Close()
		}
	})
}

// waitGone waits until none of the processes exists, at most 5 s: they were reparented, so nobody here can reap them.
func waitGone(pids []int) {
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for alive(pid) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
	}
}
