package measured

import (
	"context"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Join implements store.Store.
func (s *Store) Join(ctx context.Context, gateway store.Gateway, lease time.Duration) (result int64, err error) {
	defer s.count("join", time.Now(), &err)
	return s.Store.Join(ctx, gateway, lease)
}

// Leave implements store.Store.
func (s *Store) Leave(ctx context.Context, incarnation int64) (err error) {
	defer s.count("leave", time.Now(), &err)
	return s.Store.Leave(ctx, incarnation)
}

// Sync implements store.Store.
func (s *Store) Sync(ctx context.Context, request store.SyncRequest) (result store.Changes, err error) {
	defer s.count("sync", time.Now(), &err)
	return s.Store.Sync(ctx, request)
}

// Activities implements store.Store.
func (s *Store) Activities(ctx context.Context) (result []store.Activity, err error) {
	defer s.count("activities", time.Now(), &err)
	return s.Store.Activities(ctx)
}

// OpenSessions implements store.Store.
func (s *Store) OpenSessions(ctx context.Context, incarnation int64, openings []store.Opening) (result []store.Opened, err error) {
	defer s.count("open_sessions", time.Now(), &err)
	return s.Store.OpenSessions(ctx, incarnation, openings)
}

// CloseSessions implements store.Store.
func (s *Store) CloseSessions(ctx context.Context, closings []store.Closing) (err error) {
	defer s.count("close_sessions", time.Now(), &err)
	return s.Store.CloseSessions(ctx, closings)
}

// Flush implements store.Store.
func (s *Store) Flush(ctx context.Context, activities []store.Seen) (err error) {
	defer s.count("flush", time.Now(), &err)
	return s.Store.Flush(ctx, activities)
}

// SaveFacts implements store.Store.
func (s *Store) SaveFacts(ctx context.Context, updates []store.FactsUpdate) (err error) {
	defer s.count("save_facts", time.Now(), &err)
	return s.Store.SaveFacts(ctx, updates)
}

// SaveConfigs implements store.Store.
func (s *Store) SaveConfigs(ctx context.Context, updates []store.ConfigUpdate) (err error) {
	defer s.count("save_configs", time.Now(), &err)
	return s.Store.SaveConfigs(ctx, updates)
}

// Configs implements store.Store.
func (s *Store) Configs(ctx context.Context, agentIDs []string) (result map[string]store.Config, err error) {
	defer s.count("configs", time.Now(), &err)
	return s.Store.Configs(ctx, agentIDs)
}

// Decide implements store.Store.
func (s *Store) Decide(ctx context.Context, agentID string, decision store.Decision) (result store.Agent, err error) {
	defer s.count("decide", time.Now(), &err)
	return s.Store.Decide(ctx, agentID, decision)
}

// Remove implements store.Store.
func (s *Store) Remove(ctx context.Context, agentID, by string) (err error) {
	defer s.count("remove", time.Now(), &err)
	return s.Store.Remove(ctx, agentID, by)
}

// History implements store.Store.
func (s *Store) History(ctx context.Context, agentID string, limit int, before int64) (result []store.Event, err error) {
	defer s.count("history", time.Now(), &err)
	return s.Store.History(ctx, agentID, limit, before)
}

// CreateCommand implements store.Store.
func (s *Store) CreateCommand(ctx context.Context, command store.Command) (result store.Command, isNew bool, err error) {
	defer s.count("create_command", time.Now(), &err)
	return s.Store.CreateCommand(ctx, command)
}

// Claim implements store.Store.
func (s *Store) Claim(ctx context.Context, incarnation int64) (result []store.Command, err error) {
	defer s.count("claim", time.Now(), &err)
	return s.Store.Claim(ctx, incarnation)
}

// UpdateCommands implements store.Store.
func (s *Store) UpdateCommands(ctx context.Context, updates []store.CommandUpdate) (err error) {
	defer s.count("update_commands", time.Now(), &err)
	return s.Store.UpdateCommands(ctx, updates)
}

// ConfirmUpdates implements store.Store.
func (s *Store) ConfirmUpdates(ctx context.Context, agentID, version string) (err error) {
	defer s.count("confirm_updates", time.Now(), &err)
	return s.Store.ConfirmUpdates(ctx, agentID, version)
}

// Commands implements store.Store.
func (s *Store) Commands(ctx context.Context, agentID string, limit int) (result []store.Command, err error) {
	defer s.count("commands", time.Now(), &err)
	return s.Store.Commands(ctx, agentID, limit)
}

// Command implements store.Store.
func (s *Store) Command(ctx context.Context, id string) (result store.Command, err error) {
	defer s.count("command", time.Now(), &err)
	return s.Store.Command(ctx, id)
}

// PutBaseline implements store.Store.
func (s *Store) PutBaseline(ctx context.Context, baseline store.Baseline) (result store.Baseline, err error) {
	defer s.count("put_baseline", time.Now(), &err)
	return s.Store.PutBaseline(ctx, baseline)
}

// DeleteBaseline implements store.Store.
func (s *Store) DeleteBaseline(ctx context.Context, name, by string) (err error) {
	defer s.count("delete_baseline", time.Now(), &err)
	return s.Store.DeleteBaseline(ctx, name, by)
}

// Baseline implements store.Store.
func (s *Store) Baseline(ctx context.Context, name string) (result store.Baseline, err error) {
	defer s.count("baseline", time.Now(), &err)
	return s.Store.Baseline(ctx, name)
}

// Sweep implements store.Store.
func (s *Store) Sweep(ctx context.Context, policy store.SweepPolicy) (err error) {
	defer s.count("sweep", time.Now(), &err)
	return s.Store.Sweep(ctx, policy)
}
