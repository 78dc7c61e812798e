package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// alive is true while the lease of incarnation $1 is.
const alive = "exists (select from avika.gateways where incarnation = $1 and expires_at > now())"

const enrol = `with new as (
		insert into avika.agents (agent_id, approval, facts)
		select agent_id, approval, jsonb_build_object('hostname', hostname)
		from unnest($2::text[], $3::text[], $4::text[]) as i(agent_id, approval, hostname) where ` + alive + ` order by agent_id
		on conflict do nothing returning agent_id, approval)
	insert into avika.history (agent_id, kind, gateway_id, detail) select agent_id, 'enrolled', $5, approval from new`

// openSessions replaces an agent's session by a newer one. An older stream, told late, does not replace a live one.
const openSessions = `with opened as (
		insert into avika.liveness as l (agent_id, session, incarnation, gateway_id, address, authentication, opened_at, last_seen)
		select i.agent_id, nextval('avika.numbers'), $1, $5, i.address, i.authentication, now() - i.age * interval '1 us', now()
		from unnest($2::text[], $3::text[], $4::text[], $6::bigint[]) as i(agent_id, address, authentication, age)
		join avika.agents a on a.agent_id = i.agent_id where a.approval = 'approved' and ` + alive + ` order by i.agent_id
		on conflict (agent_id) do update set session = excluded.session, incarnation = excluded.incarnation, gateway_id = excluded.gateway_id,
			address = excluded.address, authentication = excluded.authentication, opened_at = excluded.opened_at, closed_at = null,
			last_seen = excluded.last_seen
		where l.closed_at is not null or l.opened_at <= excluded.opened_at
			or not exists (select from avika.gateways g where g.incarnation = l.incarnation and g.expires_at > now())
		returning agent_id, session, address),
	logged as (
		insert into avika.history (agent_id, kind, gateway_id, detail) select agent_id, 'connected', $5, address from opened)
	select agent_id, session from opened`

// OpenSessions implements store.Store.
func (s *Store) OpenSessions(ctx context.Context, incarnation int64, openings []store.Opening) ([]store.Opened, error) {
	if len(openings) == 0 {
		return nil, nil
	}
	n := len(openings)
	ids, hosts, approvals := make([]string, n), make([]string, n), make([]string, n)
	addresses, authentications, ages := make([]string, n), make([]string, n), make([]int64, n)
	for i, o := range openings {
		ids[i], hosts[i], approvals[i] = o.AgentID, o.Hostname, string(o.Approval)
		addresses[i], authentications[i], ages[i] = o.Address, o.Authentication, o.Age.Microseconds()
	}
	gatewayID := openings[0].GatewayID
	batch := &pgx.Batch{}
	batch.Queue("select "+alive, incarnation)
	batch.Queue(enrol, incarnation, ids, approvals, hosts, gatewayID)
	batch.Queue(openSessions, incarnation, ids, addresses, authentications, gatewayID, ages)
	batch.Queue("select agent_id, approval from avika.agents where agent_id = any($1::text[])", ids)
	notifyAll(batch)
	var opened []store.Opened
	err := s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		opened, err = readOpened(r, ids)
		return err
	})
	return opened, err
}

func readOpened(r pgx.BatchResults, ids []string) ([]store.Opened, error) {
	var leased bool
	if err := r.QueryRow().Scan(&leased); err != nil {
		return nil, err
	}
	if !leased {
		return nil, store.ErrLeaseLost
	}
	if _, err := r.Exec(); err != nil {
		return nil, err
	}
	sessions, err := pairs[int64](r)
	if err != nil {
		return nil, err
	}
	approvals, err := pairs[store.Approval](r)
	if err != nil {
		return nil, err
	}
	opened := make([]store.Opened, len(ids))
	for i, id := range ids {
		opened[i] = store.Opened{Approval: approvals[id], Session: sessions[id]}
	}
	return opened, nil
}

func pairs[T any](r pgx.BatchResults) (map[string]T, error) {
	rows, err := r.Query()
	if err != nil {
		return nil, err
	}
	found := map[string]T{}
	var key string
	var value T
	_, err = pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		found[key] = value
		return nil
	})
	return found, err
}

// CloseSessions implements store.Store.
func (s *Store) CloseSessions(ctx context.Context, closings []store.Closing) error {
	n := len(closings)
	ids, sessions, ages, seen, reasons := make([]string, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]string, n)
	for i, c := range closings {
		ids[i], sessions[i], ages[i], seen[i], reasons[i] = c.AgentID, c.Session, c.Age.Microseconds(), c.SeenAge.Microseconds(), c.Reason
	}
	batch := &pgx.Batch{}
	batch.Queue(`with closed as (
			update avika.liveness l set closed_at = now() - i.age * interval '1 us', last_seen = now() - i.seen * interval '1 us'
			from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) as i(agent_id, session, age, seen, reason)
			where l.agent_id = i.agent_id and l.session = i.session and l.closed_at is null
			returning l.agent_id, l.gateway_id, i.reason)
		insert into avika.history (agent_id, kind, gateway_id, detail) select agent_id, 'disconnected', gateway_id, reason from closed`,
		ids, sessions, ages, seen, reasons)
	notifyAll(batch)
	return s.run(ctx, batch, nil)
}

// Flush implements store.Store.
func (s *Store) Flush(ctx context.Context, activities []store.Seen) error {
	n := len(activities)
	ids, sessions, ages, rates := make([]string, n), make([]int64, n), make([]int64, n), make([]string, n)
	for i, a := range activities {
		ids[i], sessions[i], ages[i], rates[i] = a.AgentID, a.Session, a.Age.Microseconds(), arrayText(a.Rates)
	}
	batch := &pgx.Batch{}
	batch.Queue(`update avika.liveness l set last_seen = now() - i.age * interval '1 us', rates = i.rates::real[]
		from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) as i(agent_id, session, age, rates)
		where l.agent_id = i.agent_id and l.session = i.session`, ids, sessions, ages, rates)
	return s.run(ctx, batch, nil)
}

// arrayText writes an array as PostgreSQL reads it; arrays of different lengths cannot be passed as one.
func arrayText(values []float32) string {
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return "{" + strings.Join(text, ",") + "}"
}

// save writes facts or configurations: %s are the columns to set.
const save = `with saved as (
		update avika.agents a set %s, xid = pg_current_xact_id()::text::bigint
		from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[]) as i(agent_id, session, at, document, summary, change)
		join avika.liveness l on l.agent_id = i.agent_id and l.session = i.session
		where a.agent_id = i.agent_id and (a.%[2]s <= i.at or a.%[2]s > now() + interval '1 minute')
		returning a.agent_id, l.gateway_id, i.change)
	insert into avika.history (agent_id, kind, gateway_id, detail) select agent_id, $7, gateway_id, change from saved where change <> ''`

var (
	saveFacts   = fmt.Sprintf(save, "facts = i.document::jsonb, facts_at = i.at", "facts_at")
	saveConfigs = fmt.Sprintf(save, "config = i.document::jsonb, summary = i.summary::jsonb, config_at = i.at", "config_at")
)

// documents are the columns of save.
type documents struct {
	ids                        []string
	sessions                   []int64
	at                         []time.Time
	document, summary, changes []string
}

func (d *documents) add(id string, session int64, at time.Time, document, summary any, change string) error {
	first, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode agent %q: %w", id, err)
	}
	second, err := json.Marshal(summary)
	if err != nil {
		return fmt.Errorf("encode agent %q: %w", id, err)
	}
	d.ids, d.sessions, d.at = append(d.ids, id), append(d.sessions, session), append(d.at, at)
	d.document, d.summary, d.changes = append(d.document, string(first)), append(d.summary, string(second)), append(d.changes, change)
	return nil
}

func (s *Store) save(ctx context.Context, query, kind string, d *documents) error {
	batch := &pgx.Batch{}
	batch.Queue(query, d.ids, d.sessions, d.at, d.document, d.summary, d.changes, kind)
	notifyAll(batch)
	return s.run(ctx, batch, nil)
}

// SaveFacts implements store.Store.
func (s *Store) SaveFacts(ctx context.Context, updates []store.FactsUpdate) error {
	d := &documents{}
	for i := range updates {
		u := &updates[i]
		if err := d.add(u.AgentID, u.Session, u.At, u.Facts, nil, u.Change); err != nil {
			return err
		}
	}
	return s.save(ctx, saveFacts, store.EventFacts, d)
}

// SaveConfigs implements store.Store.
func (s *Store) SaveConfigs(ctx context.Context, updates []store.ConfigUpdate) error {
	d := &documents{}
	for i := range updates {
		u := &updates[i]
		if err := d.add(u.AgentID, u.Session, u.At, u.Config, u.Summary, u.Change); err != nil {
			return err
		}
	}
	return s.save(ctx, saveConfigs, store.EventConfig, d)
}

// Configs implements store.Store.
func (s *Store) Configs(ctx context.Context, agentIDs []string) (configs map[string]store.Config, err error) {
	batch := &pgx.Batch{}
	batch.Queue("select agent_id, config from avika.agents where agent_id = any($1::text[]) and summary ? 'digest'", agentIDs)
	err = s.run(ctx, batch, func(r pgx.BatchResults) (err error) {
		configs, err = pairs[store.Config](r)
		return err
	})
	return configs, err
}
