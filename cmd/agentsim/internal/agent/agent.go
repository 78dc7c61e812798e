package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/counters"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/host"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/tail"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/wireform"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const stockVersion = "1.110.0"

// grace is how long a stopped agent waits for the gateway to take what is buffered.
const grace = 5 * time.Second

type agent struct {
	cfg       Config
	address   string
	started   time.Time
	nginx     host.Nginx
	buffer    *buffer
	positions *positions
	sent      totals

	mu      sync.Mutex // guards what follows
	traffic counters.Traffic
	version string // of NGINX, once known
	up      bool   // NGINX answered the last time
	last    host.Connections
	self    string // own version
	pid     string
	closing bool // no more commands are answered

	work  sync.WaitGroup // commands being answered
	fatal chan error
	ctx   context.Context // of the commands' work
}

// Run is the agent's life: until ctx ends, or its logs cannot be read.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if err := cfg.Validate(); err != nil {
		return Summary{}, err
	}
	a, err := newAgent(cfg)
	if err != nil {
		return Summary{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hard, cancelHard := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelHard()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancelHard) })()
	a.ctx = ctx
	a.learnNginx(ctx)
	err = a.live(ctx, hard, cancel)
	return a.summary(), errors.Join(err, a.positions.save())
}

func newAgent(cfg Config) (*agent, error) {
	address, err := cfg.identify()
	if err != nil {
		return nil, err
	}
	p, err := loadPositions(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	return &agent{
		cfg: cfg, address: address, started: time.Now(), nginx: host.Nginx{StubStatus: cfg.StubStatus},
		buffer: newBuffer(cfg.BufferBytes), positions: p, self: stockVersion, fatal: make(chan error, 2),
	}, nil
}

// live runs the parts. Those that produce end first, so that the sender can hand over the last of it.
func (a *agent) live(ctx, hard context.Context, stop context.CancelFunc) error {
	var producers sync.WaitGroup
	producers.Go(func() { a.follow(ctx, hard, a.cfg.AccessLog, a.accessEntry, kindAccess) })
	if a.cfg.ErrorLog != "" {
		producers.Go(func() { a.follow(ctx, hard, a.cfg.ErrorLog, a.errorEntry, kindError) })
	}
	producers.Go(func() { a.every(ctx, a.cfg.Heartbeat, a.beat) })
	producers.Go(func() { a.every(ctx, a.cfg.Metrics, a.sampler()) })
	producers.Go(func() { a.every(ctx, a.cfg.State, a.snapshot) })
	quiet := make(chan struct{})
	go func() { defer close(quiet); producers.Wait(); a.endCommands() }()
	sender := make(chan struct{})
	go func() { defer close(sender); a.send(ctx, hard, quiet) }()
	var err error
	select {
	case err = <-a.fatal:
		stop()
	case <-ctx.Done():
	}
	<-sender
	<-quiet
	return err
}

// endCommands waits for the commands being answered; later ones are not.
func (a *agent) endCommands() {
	a.mu.Lock()
	a.closing = true
	a.mu.Unlock()
	a.work.Wait()
}

// every calls f at once and then each interval.
func (a *agent) every(ctx context.Context, interval time.Duration, f func(context.Context, time.Time)) {
	if interval <= 0 {
		return
	}
	t := time.NewTicker(interval)
	defer t.Stop()
	for now := time.Now(); ctx.Err() == nil; {
		f(ctx, now)
		select {
		case now = <-t.C:
		case <-ctx.Done():
		}
	}
}

// follow buffers every new line of a log. A full buffer stops the reading; the file keeps the rest.
func (a *agent) follow(ctx, hard context.Context, path string, entry func([]byte) *agentv1.LogEntry, k kind) {
	o := tail.Options{Resume: a.positions.of(path), FromStart: a.cfg.FromStart}
	err := tail.Follow(ctx, path, o, func(l tail.Line) error {
		return a.buffer.put(hard, a.logMessage(entry(l.Text), k, l.End))
	})
	if ctx.Err() == nil {
		a.fatal <- fmt.Errorf("follow %s: %w", path, err)
	}
}

// accessEntry also counts the request.
func (a *agent) accessEntry(line []byte) *agentv1.LogEntry {
	e := a.cfg.Format.Access(line, time.Now())
	if e.Status == 0 {
		return e
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.traffic.Add(e.Status, e.RequestTime, 0, e.BodyBytesSent)
	return e
}

func (a *agent) errorEntry(line []byte) *agentv1.LogEntry { return nginxlog.Error(line, time.Now()) }

func (a *agent) logMessage(e *agentv1.LogEntry, k kind, end tail.Position) message {
	payload := wireform.AppendLogEntry(nil, e)
	encoded := wireform.AppendMessage(nil, a.cfg.AgentID, time.Now().Unix(), wireform.FieldLogEntry, payload)
	return message{encoded: encoded, kind: k, end: end}
}

// totals of messages handed over.
type totals struct {
	sent                               [kinds]atomic.Int64
	connects, failed, broken, commands atomic.Int64
}
