package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Join implements store.Store.
func (s *Store) Join(ctx context.Context, g store.Gateway, lease time.Duration) (int64, error) {
	batch := &pgx.Batch{}
	batch.Queue(`insert into avika.gateways (incarnation, gateway_id, address, version, expires_at)
		values (nextval('avika.numbers'), $1, $2, $3, now() + $4 * interval '1 us') returning incarnation`,
		g.ID, g.Address, g.Version, lease.Microseconds())
	notifyAll(batch)
	var incarnation int64
	err := s.run(ctx, batch, func(r pgx.BatchResults) error { return r.QueryRow().Scan(&incarnation) })
	return incarnation, err
}

// Leave implements store.Store.
func (s *Store) Leave(ctx context.Context, incarnation int64) error {
	batch := &pgx.Batch{}
	batch.Queue(`with closed as (
			update avika.liveness set closed_at = now() where incarnation = $1 and closed_at is null returning agent_id, gateway_id)
		insert into avika.history (agent_id, kind, gateway_id, detail) select agent_id, 'disconnected', gateway_id, 'the gateway stopped' from closed`, incarnation)
	batch.Queue("delete from avika.gateways where incarnation = $1", incarnation)
	notifyAll(batch)
	return s.run(ctx, batch, nil)
}

const agentColumns = "agent_id, first_seen, approval, decision, facts, facts_at, summary, config_at"

const livenessColumns = "agent_id, session, incarnation, gateway_id, address, authentication, opened_at, closed_at, last_seen, rates"

// Sync implements store.Store. The cursor is read before the changes, so that nothing falls between.
func (s *Store) Sync(ctx context.Context, request store.SyncRequest) (store.Changes, error) {
	load, err := json.Marshal(request.Load)
	if err != nil {
		return store.Changes{}, fmt.Errorf("encode load: %w", err)
	}
	batch := &pgx.Batch{}
	if request.Lease > 0 {
		batch.Queue(`update avika.gateways set expires_at = now() + $2 * interval '1 us', load = $3::jsonb
			where incarnation = $1 and expires_at > now()`, request.Incarnation, request.Lease.Microseconds(), string(load))
	}
	cursor := int64(request.Cursor)
	batch.Queue("select now(), pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
	batch.Queue(`select incarnation, gateway_id, address, version, started_at, load, (extract(epoch from expires_at - now()) * 1e6)::bigint
		from avika.gateways order by incarnation`)
	batch.Queue("select "+agentColumns+" from avika.agents where xid >= $1", cursor)
	batch.Queue("select "+livenessColumns+` from avika.liveness where $1 = 0 or agent_id in (
		select agent_id from avika.history where xid >= $1 and kind in ('connected', 'disconnected', 'gateway_lost'))`, cursor)
	batch.Queue(`select distinct agent_id from avika.history h where $1 > 0 and xid >= $1 and kind = 'removed'
		and not exists (select from avika.agents a where a.agent_id = h.agent_id)`, cursor)
	batch.Queue("select name, agent_id, labels, reference, '[]'::jsonb, digest, created_by, created_at from avika.baselines order by name")
	batch.Queue("select "+commandColumns+" from avika.commands where $1 > 0 and xid >= $1", cursor)
	batch.Queue(`select exists (select from avika.commands c join avika.liveness l using (agent_id)
		where c.state = 'pending' and c.claimed = 0 and c.expires_at > now() and l.incarnation = $1 and l.closed_at is null)`, request.Incarnation)
	changes := store.Changes{Full: request.Cursor == 0}
	err = s.run(ctx, batch, func(r pgx.BatchResults) error { return readChanges(r, request, &changes) })
	return changes, err
}

func readChanges(r pgx.BatchResults, request store.SyncRequest, c *store.Changes) (err error) {
	if request.Lease > 0 {
		if tag, err := r.Exec(); err != nil {
			return err
		} else if tag.RowsAffected() == 0 {
			return store.ErrLeaseLost
		}
	}
	if err := r.QueryRow().Scan(&c.Now, (*int64)(&c.Cursor)); err != nil {
		return err
	}
	if c.Gateways, err = all(r, scanGateway); err != nil {
		return err
	}
	if c.Agents, err = all(r, scanAgent); err != nil {
		return err
	}
	if c.Liveness, err = all(r, scanLiveness); err != nil {
		return err
	}
	if c.Removed, err = all(r, func(row pgx.CollectableRow) (id string, err error) { return id, row.Scan(&id) }); err != nil {
		return err
	}
	if c.Baselines, err = all(r, scanBaseline); err != nil {
		return err
	}
	if c.Commands, err = all(r, scanCommand); err != nil {
		return err
	}
	return r.QueryRow().Scan(&c.Claimable)
}

// all reads the rows of the next result.
func all[T any](r pgx.BatchResults, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := r.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func scanGateway(row pgx.CollectableRow) (g store.Gateway, err error) {
	var left int64
	err = row.Scan(&g.Incarnation, &g.ID, &g.Address, &g.Version, &g.StartedAt, &g.Load, &left)
	g.LeaseLeft = time.Duration(left) * time.Microsecond
	return g, err
}

func scanAgent(row pgx.CollectableRow) (a store.Agent, err error) {
	err = row.Scan(&a.ID, &a.FirstSeen, &a.Approval, &a.Decision, &a.Facts, &a.FactsAt, &a.Config, &a.ConfigAt)
	return a, err
}

func scanLiveness(row pgx.CollectableRow) (l store.Liveness, err error) {
	var closed *time.Time
	err = row.Scan(&l.AgentID, &l.Session, &l.Incarnation, &l.GatewayID, &l.Address, &l.Authentication, &l.OpenedAt, &closed, &l.LastSeen, &l.Rates)
	l.ClosedAt = orZero(closed)
	return l, err
}

func scanBaseline(row pgx.CollectableRow) (b store.Baseline, err error) {
	err = row.Scan(&b.Name, &b.AgentID, &b.Labels, &b.Reference, &b.Files, &b.Digest, &b.CreatedBy, &b.CreatedAt)
	return b, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Activities implements store.Store.
func (s *Store) Activities(ctx context.Context) (activities []store.Activity, err error) {
	batch := &pgx.Batch{}
	batch.Queue("select agent_id, session, last_seen, rates from avika.liveness")
	err = s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		activities, err = all(r, func(row pgx.CollectableRow) (a store.Activity, err error) {
			return a, row.Scan(&a.AgentID, &a.Session, &a.LastSeen, &a.Rates)
		})
		return err
	})
	return activities, err
}
