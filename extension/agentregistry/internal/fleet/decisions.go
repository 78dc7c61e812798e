package fleet

import (
	"context"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Decide approves or revokes an agent. Here it counts when this returns; other gateways follow.
func (f *Fleet) Decide(ctx context.Context, agentID string, decision store.Decision) error {
	agent, err := f.store.Decide(ctx, agentID, decision)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applyAgent(&agent)
	f.hub.agent(agentID)
	return nil
}

// Remove forgets an agent.
func (f *Fleet) Remove(ctx context.Context, agentID, by string) error {
	if err := f.store.Remove(ctx, agentID, by); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applyRemoved(agentID)
	f.hub.agent(agentID)
	return nil
}
