package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/stack"
)

// Event is what was done to a server, and when.
type Event struct {
	Fault
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// injector does what a plan says, one fault after the other.
type injector struct {
	stack    *stack.Stack
	dir      string // on the disk that is slowed
	progress io.Writer

	mu     sync.Mutex // of ClickHouse, which is started again by two
	events []Event
	aborts int
}

// run ends with the plan or ctx. All servers run then.
func (in *injector) run(ctx context.Context, plan []Fault) error {
	began := time.Now()
	for _, f := range plan {
		if !sleep(ctx, time.Until(began.Add(f.At))) {
			return nil
		}
		fmt.Fprintf(in.progress, "      %s\n", f)
		e := Event{Fault: f, Began: time.Now()}
		err := in.inject(ctx, f)
		e.Ended = time.Now()
		in.events = append(in.events, e)
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

func (in *injector) inject(ctx context.Context, f Fault) error {
	gateway := in.stack.Collectors[f.Gateway].Gateway
	switch f.Kind {
	case KillGateway:
		return errors.Join(gateway.Kill(), gateway.Restart(ctx))
	case RestartGateway:
		return gateway.Restart(ctx)
	case PauseClickHouse:
		return in.away(ctx, f, in.stack.ClickHouse.Pause, func(context.Context) error { return in.stack.ClickHouse.Resume() })
	case KillClickHouse:
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.away(ctx, f, in.stack.ClickHouse.Kill, in.stack.ClickHouse.Restart)
	case CutPostgres:
		return in.away(ctx, f, in.stack.Postgres.Kill, in.stack.Postgres.Restart)
	case SlowDisk:
		return slowDisk(ctx, in.dir, f.For)
	}
	return fmt.Errorf("unknown fault %q", f.Kind)
}

func (in *injector) away(ctx context.Context, f Fault, begin func() error, end func(context.Context) error) error {
	if err := begin(); err != nil {
		return err
	}
	sleep(ctx, f.For)
	return end(context.WithoutCancel(ctx))
}

// revive starts ClickHouse again when it has aborted by itself, as a supervisor would: the engine from npm does so at
// times when a client is killed in the middle of an insert.
func (in *injector) revive(ctx context.Context) {
	for sleep(ctx, 50*time.Millisecond) {
		in.mu.Lock()
		if revived, err := in.stack.ClickHouse.Revive(context.WithoutCancel(ctx)); revived {
			in.aborts++
			fmt.Fprintf(in.progress, "      ClickHouse aborted by itself and is started again: %v\n", err)
		}
		in.mu.Unlock()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
