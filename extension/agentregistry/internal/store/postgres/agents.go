package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Decide implements store.Store.
func (s *Store) Decide(ctx context.Context, agentID string, d store.Decision) (agent store.Agent, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`with decided as (
			update avika.agents set approval = $2, xid = pg_current_xact_id()::text::bigint,
				decision = jsonb_build_object('approval', $2::text, 'by', $3::text, 'reason', $4::text, 'at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
			where agent_id = $1 returning `+agentColumns+`),
		logged as (insert into avika.history (agent_id, kind, by, detail) select agent_id, $2, $3, $4 from decided)
		select `+agentColumns+` from decided`, agentID, string(d.Approval), d.By, d.Reason)
	notifyAll(batch)
	err = s.run(ctx, batch, func(r pgx.BatchResults) error {
		agents, err := all(r, scanAgent)
		if err == nil && len(agents) == 0 {
			return store.ErrNotFound
		}
		if err == nil {
			agent = agents[0]
		}
		return err
	})
	return agent, err
}

// remove deletes agents and says so in the history. %s chooses them.
const remove = `with gone as (delete from avika.agents a where %s returning agent_id)
	insert into avika.history (agent_id, kind, by, detail) select agent_id, 'removed', $1, $2 from gone`

var (
	removeOne  = fmt.Sprintf(remove, "agent_id = $3")
	removeIdle = fmt.Sprintf(remove, `approval <> 'revoked' and first_seen < now() - $3 * interval '1 us' and not exists (
		select from avika.liveness l where l.agent_id = a.agent_id and (l.closed_at is null or l.closed_at >= now() - $3 * interval '1 us'))`)
)

// Remove implements store.Store.
func (s *Store) Remove(ctx context.Context, agentID, by string) error {
	batch := &pgx.Batch{}
	batch.Queue(removeOne, by, "", agentID)
	notifyAll(batch)
	return s.run(ctx, batch, affected)
}

// affected fails when the next statement changed nothing.
func affected(r pgx.BatchResults) error {
	tag, err := r.Exec()
	if err == nil && tag.RowsAffected() == 0 {
		return store.ErrNotFound
	}
	return err
}

// History implements store.Store.
func (s *Store) History(ctx context.Context, agentID string, limit int, before int64) (events []store.Event, err error) {
	batch := &pgx.Batch{}
	query := `select id, agent_id, at, kind, gateway_id, by, detail from avika.history where ($1 = 0 or id < $1)`
	if agentID == "" {
		batch.Queue(query+" order by id desc limit $2", before, limit)
	} else {
		batch.Queue(query+" and agent_id = $3 order by id desc limit $2", before, limit, agentID)
	}
	err = s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		events, err = all(r, func(row pgx.CollectableRow) (e store.Event, err error) {
			return e, row.Scan(&e.ID, &e.AgentID, &e.At, &e.Kind, &e.GatewayID, &e.By, &e.Detail)
		})
		return err
	})
	return events, err
}

// PutBaseline implements store.Store.
func (s *Store) PutBaseline(ctx context.Context, b store.Baseline) (store.Baseline, error) {
	labels, err := json.Marshal(b.Labels)
	files, failed := json.Marshal(b.Files)
	if err := errors.Join(err, failed); err != nil {
		return b, fmt.Errorf("encode baseline %q: %w", b.Name, err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`insert into avika.baselines as b (name, agent_id, labels, reference, files, digest, created_by)
		values ($1, $2, $3::jsonb, $4, $5::jsonb, $6, $7)
		on conflict (name) do update set agent_id = excluded.agent_id, labels = excluded.labels, reference = excluded.reference,
			files = excluded.files, digest = excluded.digest, created_by = excluded.created_by, created_at = now()
		returning created_at`, b.Name, b.AgentID, string(labels), b.Reference, string(files), b.Digest, b.CreatedBy)
	notifyAll(batch)
	err = s.run(ctx, batch, func(r pgx.BatchResults) error { return r.QueryRow().Scan(&b.CreatedAt) })
	return b, err
}

// DeleteBaseline implements store.Store.
func (s *Store) DeleteBaseline(ctx context.Context, name, _ string) error {
	batch := &pgx.Batch{}
	batch.Queue("delete from avika.baselines where name = $1", name)
	notifyAll(batch)
	return s.run(ctx, batch, affected)
}

// Baseline implements store.Store.
func (s *Store) Baseline(ctx context.Context, name string) (b store.Baseline, err error) {
	batch := &pgx.Batch{}
	batch.Queue("select name, agent_id, labels, reference, files, digest, created_by, created_at from avika.baselines where name = $1", name)
	err = s.run(ctx, batch, func(r pgx.BatchResults) error {
		found, err := all(r, scanBaseline)
		if err == nil && len(found) == 0 {
			return store.ErrNotFound
		}
		if err == nil {
			b = found[0]
		}
		return err
	})
	return b, err
}

// sweepLock is held by the one gateway that sweeps.
const sweepLock = 0x7377656570 // "sweep"

// lostGatewayKept is how long a lost gateway is still listed.
const lostGatewayKept = 10 * time.Minute

// Sweep implements store.Store.
func (s *Store) Sweep(ctx context.Context, p store.SweepPolicy) error {
	err := s.prepare(ctx)
	if err == nil {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return sweep(ctx, tx, p) })
	}
	if conflict(err) {
		return nil // the next sweep is soon
	}
	return s.classify(err)
}

func sweep(ctx context.Context, tx pgx.Tx, p store.SweepPolicy) error {
	var mine bool
	if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", int64(sweepLock)).Scan(&mine); err != nil || !mine {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`with closed as (
			update avika.liveness l set closed_at = coalesce((select expires_at from avika.gateways g where g.incarnation = l.incarnation), l.last_seen)
			where closed_at is null and not exists (select from avika.gateways g where g.incarnation = l.incarnation and g.expires_at > now())
			returning agent_id, gateway_id)
		insert into avika.history (agent_id, kind, gateway_id, detail) select agent_id, 'gateway_lost', gateway_id, 'the gateway''s lease ran out' from closed`)
	batch.Queue("delete from avika.gateways where expires_at < now() - $1 * interval '1 us'", lostGatewayKept.Microseconds())
	sweepCommands(batch, p)
	sweepOld(batch, p)
	changed := int64(0)
	results := tx.SendBatch(ctx, batch)
	for range batch.Len() {
		tag, err := results.Exec()
		if err != nil {
			return errors.Join(err, results.Close())
		}
		changed += tag.RowsAffected()
	}
	if err := results.Close(); err != nil || changed == 0 {
		return err
	}
	_, err := tx.Exec(ctx, "select pg_notify($1, '0')", channel)
	return err
}

func sweepCommands(batch *pgx.Batch, p store.SweepPolicy) {
	batch.Queue(finish("claimed = 0 and state = 'pending' and expires_at < now()"), string(store.CommandExpired), store.ReasonExpired)
	batch.Queue(finish(`state = 'pending' and claimed <> 0 and not exists (
		select from avika.liveness l join avika.gateways g using (incarnation)
		where l.agent_id = c.agent_id and l.session = c.claimed and l.closed_at is null and g.expires_at > now())`),
		string(store.CommandUnconfirmed), store.ReasonGatewayLost)
	batch.Queue(finish("state = 'pending' and claimed <> 0 and expires_at < now()"), string(store.CommandUnconfirmed), store.ReasonNotTaken)
	batch.Queue(finish("state = 'sent' and type <> 'update' and sent_at < now() - $3 * interval '1 us'"),
		string(store.CommandUnconfirmed), store.ReasonNoResult, p.Confirm.Microseconds())
	batch.Queue(finish("state = 'sent' and type = 'update' and sent_at < now() - $3 * interval '1 us'"),
		string(store.CommandUnconfirmed), store.ReasonNoVersion, p.ConfirmUpdate.Microseconds())
}

// finish ends the commands that the condition chooses.
func finish(condition string) string {
	return `with done as (
			update avika.commands c set state = $1, result = $2, finished_at = now(),
				sent_at = case when $1 = 'succeeded' then coalesce(sent_at, now()) else sent_at end, xid = pg_current_xact_id()::text::bigint
			where ` + condition + ` returning id, agent_id, type, gateway_id, result)
		insert into avika.history (agent_id, kind, gateway_id, detail)
		select agent_id, 'command', gateway_id, concat_ws(' ', type, id, $1::text, result) from done`
}

func sweepOld(batch *pgx.Batch, p store.SweepPolicy) {
	if p.AgentRetention > 0 {
		batch.Queue(removeIdle, "", "offline longer than the retention", p.AgentRetention.Microseconds())
	}
	if p.HistoryRetention > 0 {
		batch.Queue("delete from avika.history where at < now() - $1 * interval '1 us'", p.HistoryRetention.Microseconds())
		batch.Queue("delete from avika.commands where finished_at < now() - $1 * interval '1 us'", p.HistoryRetention.Microseconds())
	}
	if p.HistoryPerAgent > 0 { // only of agents that something happened to lately
		batch.Queue(`delete from avika.history h using (
				select distinct agent_id from avika.history where at > now() - interval '10 seconds') recent
			where h.agent_id = recent.agent_id and h.id <= (
				select id from avika.history k where k.agent_id = recent.agent_id order by id desc offset $1 limit 1)`, p.HistoryPerAgent)
	}
}

func violates(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
