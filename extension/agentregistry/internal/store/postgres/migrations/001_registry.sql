-- Fences (incarnations and sessions) come from one sequence, so that a later one is always larger.
create sequence avika.numbers;

-- The oldest schema that a binary must know to work with this one. A migration that breaks older binaries raises it.
create table avika.compatibility (oldest int not null);
insert into avika.compatibility values (1);

create table avika.gateways (
  incarnation bigint primary key,
  gateway_id text not null,
  address text not null,
  version text not null,
  started_at timestamptz not null default now(),
  load jsonb not null default '{}',
  expires_at timestamptz not null
) with (fillfactor = 50);

-- xid is the transaction of the last change. Readers ask for what is not older than the oldest transaction that ran
-- when they asked before, which leaves nothing out, whatever the order of commits.
create table avika.agents (
  agent_id text primary key,
  first_seen timestamptz not null default now(),
  approval text not null,
  decision jsonb,
  facts jsonb not null default '{}',
  facts_at timestamptz not null default '0001-01-01 00:00:00+00',
  summary jsonb not null default '{}',
  config jsonb not null default '{}',
  config_at timestamptz not null default '0001-01-01 00:00:00+00',
  xid bigint not null default (pg_current_xact_id()::text::bigint)
);
create index on avika.agents (xid);

-- One row per agent: its newest session. Only the key is indexed and half of each page is free, so that all updates are HOT;
-- what changes most comes last, so that the log of an update holds little else.
create table avika.liveness (
  agent_id text primary key references avika.agents on delete cascade,
  gateway_id text not null,
  address text not null,
  authentication text not null,
  session bigint not null,
  incarnation bigint not null,
  opened_at timestamptz not null,
  closed_at timestamptz,
  last_seen timestamptz not null,
  rates real[] not null default '{}'
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.5);

create table avika.history (
  id bigint generated always as identity primary key,
  agent_id text not null,
  at timestamptz not null default clock_timestamp(),
  kind text not null,
  gateway_id text not null default '',
  by text not null default '',
  detail text not null default '',
  xid bigint not null default (pg_current_xact_id()::text::bigint)
);
create index on avika.history (agent_id, id);
create index on avika.history (xid);
create index on avika.history using brin (at);

create table avika.commands (
  id text primary key,
  agent_id text not null references avika.agents on delete cascade,
  type text not null,
  parameters jsonb not null,
  state text not null,
  idempotency_key text not null,
  requested_by text not null,
  requested_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  claimed bigint not null default 0,
  sent_at timestamptz,
  finished_at timestamptz,
  gateway_id text not null default '',
  result text not null default '',
  xid bigint not null default (pg_current_xact_id()::text::bigint)
);
create unique index on avika.commands (agent_id, idempotency_key) where idempotency_key <> '';
create index on avika.commands (agent_id, requested_at);
create index on avika.commands (agent_id) where state in ('pending', 'sent');
create index on avika.commands (xid);

create table avika.baselines (
  name text primary key,
  agent_id text not null,
  labels jsonb not null,
  reference text not null,
  files jsonb not null,
  digest text not null,
  created_by text not null,
  created_at timestamptz not null default now()
);
