package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

const commandColumns = "id, agent_id, type, parameters, state, idempotency_key, requested_by, requested_at, expires_at, claimed, sent_at, finished_at, gateway_id, result"

func scanCommand(row pgx.CollectableRow) (c store.Command, err error) {
	var sent, finished *time.Time
	err = row.Scan(&c.ID, &c.AgentID, &c.Type, &c.Parameters, &c.State, &c.IdempotencyKey, &c.RequestedBy, &c.RequestedAt, &c.ExpiresAt,
		&c.Claimed, &sent, &finished, &c.GatewayID, &c.Result)
	c.SentAt, c.FinishedAt = orZero(sent), orZero(finished)
	return c, err
}

// CreateCommand implements store.Store.
func (s *Store) CreateCommand(ctx context.Context, c store.Command) (store.Command, bool, error) {
	parameters, err := json.Marshal(c.Parameters)
	if err != nil {
		return c, false, fmt.Errorf("encode command %q: %w", c.ID, err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`with made as (
			insert into avika.commands (id, agent_id, type, parameters, state, idempotency_key, requested_by, expires_at)
			values ($1, $2, $3, $4::jsonb, 'pending', $5, $6, now() + $7 * interval '1 us')
			on conflict do nothing returning `+commandColumns+`),
		logged as (
			insert into avika.history (agent_id, kind, by, detail) select agent_id, 'command', requested_by, type || ' ' || id from made)
		select `+commandColumns+` from made`,
		c.ID, c.AgentID, c.Type, string(parameters), c.IdempotencyKey, c.RequestedBy, c.ExpiresIn.Microseconds())
	batch.Queue("select "+commandColumns+" from avika.commands where agent_id = $1 and (id = $3 or idempotency_key = $2 and $2 <> '')", c.AgentID, c.IdempotencyKey, c.ID)
	batch.Queue("select pg_notify($1, incarnation::text) from avika.liveness where agent_id = $2 and closed_at is null", channel, c.AgentID)
	notifyAll(batch)
	var made, existing []store.Command
	err = s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		if made, err = all(r, scanCommand); err != nil {
			return err
		}
		existing, err = all(r, scanCommand)
		return err
	})
	switch {
	case violates(err, foreignKeyViolation):
		return c, false, store.ErrNotFound
	case err != nil:
		return c, false, err
	case len(made) > 0:
		return made[0], true, nil
	case len(existing) > 0:
		return existing[0], existing[0].ID == c.ID, nil // its own, when only the answer to the first try was lost
	}
	return c, false, fmt.Errorf("%w: another gateway is making the same command", store.ErrUnavailable)
}

// Claim implements store.Store. Each command goes to one caller, as others skip its locked row.
func (s *Store) Claim(ctx context.Context, incarnation int64) (commands []store.Command, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`with mine as (
			select c.id as command, l.session, l.gateway_id as gateway from avika.commands c join avika.liveness l using (agent_id)
			where c.state = 'pending' and c.claimed = 0 and c.expires_at > now() and l.incarnation = $1 and l.closed_at is null and `+alive+`
			for update of c skip locked)
		update avika.commands c set claimed = mine.session, gateway_id = mine.gateway, xid = pg_current_xact_id()::text::bigint
		from mine where c.id = mine.command returning `+commandColumns, incarnation)
	err = s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		commands, err = all(r, scanCommand)
		return err
	})
	slices.SortFunc(commands, func(a, b store.Command) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return commands, err
}

// states are those from which a command may move to another.
func states(to store.CommandState) []string {
	var from []string
	for _, state := range []store.CommandState{store.CommandPending, store.CommandSent, store.CommandUnconfirmed} {
		if store.Transition(state, to) {
			from = append(from, string(state))
		}
	}
	return from
}

// UpdateCommands implements store.Store.
func (s *Store) UpdateCommands(ctx context.Context, updates []store.CommandUpdate) error {
	batch := &pgx.Batch{}
	for i := range updates {
		u := &updates[i]
		batch.Queue(`with moved as (
				update avika.commands set state = $3, result = $4, xid = pg_current_xact_id()::text::bigint,
					claimed = case when $3 = 'pending' then 0 else claimed end,
					gateway_id = case when $3 = 'pending' then '' else gateway_id end,
					sent_at = case when $3 in ('sent', 'succeeded', 'failed') then coalesce(sent_at, clock_timestamp()) else sent_at end,
					finished_at = case when $3 in ('pending', 'sent') then null else clock_timestamp() end
				where id = $1 and agent_id = $2 and state = any($5::text[]) and ($6 = 0 or claimed = $6) returning id, agent_id, type, gateway_id, state, result)
			insert into avika.history (agent_id, kind, gateway_id, detail)
			select agent_id, 'command', gateway_id, concat_ws(' ', type, id, state, nullif(result, '')) from moved where state not in ('pending', 'sent')`,
			u.ID, u.AgentID, string(u.State), u.Result, states(u.State), u.Claimed)
	}
	notifyAll(batch)
	return s.run(ctx, batch, nil)
}

// ConfirmUpdates implements store.Store.
func (s *Store) ConfirmUpdates(ctx context.Context, agentID, version string) error {
	batch := &pgx.Batch{}
	batch.Queue(finish(`agent_id = $3 and type = 'update' and (state in ('sent', 'unconfirmed') or state = 'pending' and claimed <> 0)
		and (parameters->>'version' = 'latest' or ltrim(parameters->>'version', 'v') = ltrim($4, 'v'))`),
		string(store.CommandSucceeded), store.ReasonNewVersion+" "+version, agentID, version)
	notifyAll(batch)
	return s.run(ctx, batch, nil)
}

// Commands implements store.Store.
func (s *Store) Commands(ctx context.Context, agentID string, limit int) ([]store.Command, error) {
	batch := &pgx.Batch{}
	batch.Queue("select exists (select from avika.agents where agent_id = $1)", agentID)
	batch.Queue("select "+commandColumns+" from avika.commands where agent_id = $1 order by requested_at desc limit $2", agentID, limit)
	var commands []store.Command
	err := s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		var known bool
		if err := r.QueryRow().Scan(&known); err != nil {
			return err
		}
		if !known {
			return store.ErrNotFound
		}
		commands, err = all(r, scanCommand)
		return err
	})
	return commands, err
}

// Command implements store.Store.
func (s *Store) Command(ctx context.Context, id string) (c store.Command, err error) {
	batch := &pgx.Batch{}
	batch.Queue("select "+commandColumns+" from avika.commands where id = $1", id)
	err = s.run(ctx, batch, func(r pgx.BatchResults) error {
		found, err := all(r, scanCommand)
		if err == nil && len(found) == 0 {
			return store.ErrNotFound
		}
		if err == nil {
			c = found[0]
		}
		return err
	})
	return c, err
}
