package load

import (
	"fmt"
	"os"
	"path/filepath"
)

// StartAgents starts agentsim, which must be built.
func StartAgents(root, name string, args ...string) (*Generator, error) {
	agentsim := filepath.Join(root, "bin", "agentsim")
	if _, err := os.Stat(agentsim); err != nil {
		return nil, fmt.Errorf("agentsim is not built, run `make build`: %w", err)
	}
	return Start(name, append([]string{agentsim, "--json"}, args...)...)
}
