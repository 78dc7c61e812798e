package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/tail"
)

// positions remembers, across restarts, how far each log was handed over. Without a folder it forgets.
type positions struct {
	path string

	mu    sync.Mutex
	at    map[string]tail.Position // by path of the log
	dirty bool
}

func loadPositions(dir string) (*positions, error) {
	p := &positions{at: map[string]tail.Position{}}
	if dir == "" {
		return p, nil
	}
	p.path = filepath.Join(dir, "positions.json")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	b, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(b, &p.at); err != nil {
		return nil, fmt.Errorf("read state %s (remove it to start at the logs' ends): %w", p.path, err)
	}
	return p, nil
}

func (p *positions) of(log string) *tail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.at[log]; ok {
		return &at
	}
	return nil
}

func (p *positions) set(log string, at tail.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at[log], p.dirty = at, true
}

// save replaces the file when something changed.
func (p *positions) save() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == "" || !p.dirty {
		return nil
	}
	b, err := json.Marshal(p.at)
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	if err := os.WriteFile(p.path+".new", b, 0o600); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	if err := os.Rename(p.path+".new", p.path); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	p.dirty = false
	return nil
}
