package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// startTimeout bounds how long one part may take to be ready.
const startTimeout = 60 * time.Second

// part is something that runs.
type part struct {
	name    string
	stop    func() error
	done    <-chan struct{} // closed when it ended by itself; nil: it does not
	logFile string
}

// stack is everything that was started, in order.
type stack struct {
	opts   options
	screen *screen
	nginx  *localstack.NGINX // nil: simulated fleet

	clickHouse string // host:port, perhaps several
	parts      []part
}

// up starts the parts in the order in which they need each other.
func (s *stack) up(ctx context.Context) error {
	if err := s.opts.checkPorts(); err != nil {
		return err
	}
	if err := s.findBinaries(); err != nil {
		return err
	}
	nginx, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	starts := []func(context.Context) error{s.startClickHouse, s.startGateway}
	if nginx {
		starts = append(starts, s.startNGINX, s.startAgent, s.startTraffic)
	} else {
		starts = append(starts, s.startFleet)
	}
	for _, start := range starts {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step starts one part within startTimeout.
func (s *stack) step(ctx context.Context, name string, start func(context.Context) (part, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return s.screen.step(name, func() error {
		p, err := start(ctx)
		if err == nil {
			s.parts = append(s.parts, p)
		}
		return err
	})
}

// down stops the parts: traffic first, then what takes its data, ClickHouse last.
func (s *stack) down() error {
	s.screen.say("stopping")
	var errs []error
	for _, p := range s.stopOrder() {
		errs = append(errs, p.stop())
	}
	s.parts = nil
	err := errors.Join(errs...)
	if err == nil {
		s.screen.say("everything is stopped; the data stay in %s", s.opts.data)
	}
	return err
}

// stopNames is the order in which parts end: those that make data before those that take them.
var stopNames = []string{trafficName, nginxName, shopName, agentName, gatewayName, clickHouseName}

func (s *stack) stopOrder() []part {
	var order []part
	for _, name := range stopNames {
		for _, p := range s.parts {
			if p.name == name {
				order = append(order, p)
			}
		}
	}
	return order
}

// watch shows the status until ctx ends or a part does.
func (s *stack) watch(ctx context.Context) error {
	status := newStatus(s.opts, s.clickHouse)
	defer status.close()
	tick := time.NewTicker(s.opts.interval)
	defer tick.Stop()
	ended := s.firstEnd(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-ended:
			return fmt.Errorf("%s ended by itself; the end of its log %s:\n%s", p.name, p.logFile, localstack.Tail(p.logFile, 20))
		case <-tick.C:
			s.screen.show(status.line(ctx))
		}
	}
}

// firstEnd delivers a part that ended while ctx was alive.
func (s *stack) firstEnd(ctx context.Context) <-chan part {
	ended := make(chan part, len(s.parts))
	for _, p := range s.parts {
		if p.done == nil {
			continue
		}
		go func() {
			select {
			case <-p.done:
				ended <- p
			case <-ctx.Done():
			}
		}()
	}
	return ended
}

// findBinaries fails early when the gateway is not built.
func (s *stack) findBinaries() error {
	for _, name := range []string{"otelcol-avika", "agentsim"} {
		if _, err := os.Stat(s.binary(name)); err != nil {
			return fmt.Errorf("%s is not built (make build): %w", name, err)
		}
	}
	return nil
}
