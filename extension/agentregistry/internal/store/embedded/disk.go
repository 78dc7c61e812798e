package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Keys in the storage: the index lists the agents, as a storage client cannot.
const (
	indexKey     = "index"
	baselinesKey = "\x00baselines" // no agent id holds NUL
	agentPrefix  = "agent/"
	// writeEvery is how much a crash may lose.
	writeEvery = time.Second
	batchSize  = 256
)

// disk writes what was marked, once a second. A write that fails is tried again with the next.
type disk struct {
	client storage.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	report func(error)

	mu     sync.Mutex
	marked map[string]bool
}

// document is what is kept of one agent.
type document struct {
	Present  bool            `json:"present"`
	Agent    store.Agent     `json:"agent"`
	Config   store.Config    `json:"config"`
	Live     store.Liveness  `json:"live"`
	History  []store.Event   `json:"history,omitempty"`
	Commands []store.Command `json:"commands,omitempty"`
}

type index struct {
	Sequence int64    `json:"sequence"`
	Agents   []string `json:"agents"`
}

func newDisk(client storage.Client, report func(error)) *disk {
	return &disk{client: client, report: report, marked: map[string]bool{}}
}

func (d *disk) mark(key string) {
	d.mu.Lock()
	d.marked[key] = true
	d.mu.Unlock()
}

func (d *disk) start(snapshot func([]string) ([]*storage.Operation, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.done.Go(func() {
		ticker := time.NewTicker(writeEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if err := d.write(ctx, snapshot); err != nil && ctx.Err() == nil {
					d.report(err)
				}
			}
		}
	})
}

// write stores what was marked. On failure everything stays marked.
func (d *disk) write(ctx context.Context, snapshot func([]string) ([]*storage.Operation, error)) error {
	d.mu.Lock()
	marked := d.marked
	d.marked = map[string]bool{}
	d.mu.Unlock()
	if len(marked) == 0 {
		return nil
	}
	operations, err := snapshot(slices.Collect(maps.Keys(marked)))
	for chunk := range slices.Chunk(operations, batchSize) {
		err = errors.Join(err, d.client.Batch(ctx, chunk...))
	}
	if err != nil {
		d.mu.Lock()
		maps.Copy(d.marked, marked)
		d.mu.Unlock()
		return fmt.Errorf("write the registry: %w", err)
	}
	return nil
}

func (d *disk) close(ctx context.Context, snapshot func([]string) ([]*storage.Operation, error)) error {
	var err error
	d.once.Do(func() {
		d.cancel()
		d.done.Wait()
		err = errors.Join(d.write(ctx, snapshot), d.client.Close(ctx))
	})
	return err
}

// snapshot encodes the marked keys and the index, which comes last so that it never names what is not there.
func (s *Store) snapshot(marked []string) ([]*storage.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var operations []*storage.Operation
	var failed error
	set := func(key string, value any) {
		encoded, err := json.Marshal(value)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("encode %q: %w", key, err))
			return // what is on disk stays
		}
		operations = append(operations, storage.SetOperation(key, encoded))
	}
	for _, key := range marked {
		r, ok := s.agents[key]
		switch {
		case key == baselinesKey:
			set(baselinesKey, s.baselines)
		case ok:
			set(agentPrefix+key, r.document())
		default:
			operations = append(operations, storage.DeleteOperation(agentPrefix+key))
		}
	}
	set(indexKey, index{Sequence: s.sequence, Agents: slices.Sorted(maps.Keys(s.agents))})
	return operations, failed
}

func (r *record) document() document {
	d := document{Present: r.present, Agent: r.agent, Config: r.config, Live: r.live, History: r.history}
	for _, c := range r.commands {
		d.Commands = append(d.Commands, c.Command)
	}
	return d
}

// load reads everything. Sessions that were open ended with the process that held them.
func (s *Store) load(ctx context.Context) error {
	var known index
	if err := s.read(ctx, indexKey, &known); err != nil {
		return err
	}
	s.sequence = known.Sequence + 1_000_000 // numbers given out after the last write are not given again
	s.revision = 1
	for _, id := range known.Agents {
		var d document
		if err := s.read(ctx, agentPrefix+id, &d); err != nil {
			return err
		}
		if d.Agent.ID != "" {
			s.restore(d)
		}
	}
	return s.read(ctx, baselinesKey, &s.baselines)
}

func (s *Store) restore(d document) {
	r := &record{present: d.Present, agent: d.Agent, config: d.Config, live: d.Live, history: d.History, changed: 1, liveAt: 1}
	s.agents[d.Agent.ID] = r
	if r.live.Session != 0 && r.live.ClosedAt.IsZero() {
		r.live.ClosedAt = r.live.LastSeen
	}
	for _, c := range d.Commands {
		kept := &command{Command: c, changed: 1}
		r.commands = append(r.commands, kept)
		s.commands[c.ID] = kept
	}
}

func (s *Store) read(ctx context.Context, key string, into any) error {
	value, err := s.disk.client.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %q of the registry: %w", key, err)
	}
	if value == nil {
		return nil
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("decode %q of the registry: %w", key, err)
	}
	return nil
}
