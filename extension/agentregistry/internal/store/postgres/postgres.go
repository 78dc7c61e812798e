// Package postgres keeps the registry in PostgreSQL 14 or newer, shared by all gateways.
//
// Every call is one statement, or one batch that PostgreSQL runs as one transaction, without prepared statements or anything
// else that lives longer than a transaction: a PgBouncer in transaction mode may stand between.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// channel is where gateways tell each other that something changed.
const channel = "avika_registry"

// Settings say where PostgreSQL is.
type Settings struct {
	DSN            string
	MaxConns       int32
	ConnectTimeout time.Duration
	// QueryTimeout bounds each call, tries again included; 0 does not.
	QueryTimeout time.Duration
	// Listen uses notifications; without them Listen does nothing, for a PgBouncer in transaction mode.
	Listen bool
}

// Store is the PostgreSQL backend.
type Store struct {
	pool    *pgxpool.Pool
	listen  bool
	timeout time.Duration

	ready     atomic.Bool
	preparing sync.Mutex
}

var _ store.Store = (*Store)(nil)

// Open checks the settings. It does not connect: the first call does, and creates or migrates the schema.
func Open(settings Settings) (*Store, error) {
	config, err := pgxpool.ParseConfig(settings.DSN)
	if err != nil {
		return nil, fmt.Errorf("read postgresql.dsn: %w", err) // pgx leaves passwords out
	}
	config.MaxConns = settings.MaxConns
	config.MinConns = 0
	config.ConnConfig.ConnectTimeout = settings.ConnectTimeout
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.ConnConfig.StatementCacheCapacity = 0
	config.ConnConfig.DescriptionCacheCapacity = 0
	if _, set := config.ConnConfig.RuntimeParams["application_name"]; !set {
		config.ConnConfig.RuntimeParams["application_name"] = "avika agent_registry"
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("create the pool for postgresql.dsn: %w", err)
	}
	return &Store{pool: pool, listen: settings.Listen, timeout: settings.QueryTimeout}, nil
}

// Close implements store.Store.
func (s *Store) Close(context.Context) error {
	s.pool.Close()
	return nil
}

// prepare makes sure that the schema is there.
func (s *Store) prepare(ctx context.Context) error {
	if s.ready.Load() {
		return nil
	}
	s.preparing.Lock()
	defer s.preparing.Unlock()
	if s.ready.Load() {
		return nil
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := migrateSchema(ctx, conn.Conn()); err != nil {
		return err
	}
	s.ready.Store(true)
	return nil
}

// attempts is how often a transaction is tried that lost against another one, or whose connection had died unnoticed. Every
// transaction may run twice, in case only the answer was lost.
const attempts = 3

// run runs a batch as one transaction and hands the results to read.
func (s *Store) run(ctx context.Context, batch *pgx.Batch, read func(pgx.BatchResults) error) error {
	if s.timeout > 0 {
		bounded, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		ctx = bounded
	}
	var err error
	for range attempts {
		err = s.runOnce(ctx, batch, read)
		dead := broken(err) || pgconn.SafeToRetry(err)
		if dead {
			s.pool.Reset() // its other connections went to the same end
		}
		if !dead && !conflict(err) || ctx.Err() != nil {
			break
		}
	}
	return s.classify(err)
}

func (s *Store) runOnce(ctx context.Context, batch *pgx.Batch, read func(pgx.BatchResults) error) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	results := s.pool.SendBatch(ctx, batch)
	err := error(nil)
	if read != nil {
		err = read(results)
	}
	return errors.Join(err, results.Close())
}

// SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	foreignKeyViolation  = "23503"
	undefinedTable       = "42P01"
	invalidSchema        = "3F000"
	readOnly             = "25006"
)

// conflict says that the transaction lost against another one and may be tried again.
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == serializationFailure || pg.Code == deadlockDetected)
}

// classify wraps what says that PostgreSQL is away, or cannot do its work now, as store.ErrUnavailable.
func (s *Store) classify(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return s.classifyConnection(err)
	}
	switch {
	case pg.Code == undefinedTable || pg.Code == invalidSchema:
		s.ready.Store(false) // another, empty, database: the next call creates the schema
	case pg.Code[:2] == "08", pg.Code[:2] == "53", pg.Code[:2] == "57", pg.Code[:2] == "58", pg.Code[:2] == "28", pg.Code[:2] == "3D":
	case pg.Code == readOnly, pg.Code == "42501", conflict(err), pg.Code == "55P03", pg.Code == "25P03":
	default:
		return fmt.Errorf("query PostgreSQL: %w", err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

func (s *Store) classifyConnection(err error) error {
	var schema *SchemaError
	var network net.Error
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &schema), errors.As(err, &network), errors.As(err, &connect), pgconn.Timeout(err), pgconn.SafeToRetry(err),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed), broken(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return fmt.Errorf("query PostgreSQL: %w", err)
}

// notifyAll tells all gateways that something changed.
func notifyAll(batch *pgx.Batch) { batch.Queue("select pg_notify($1, '0')", channel) }

// Listen implements store.Store, on a connection of its own.
func (s *Store) Listen(ctx context.Context, notify func(store.Notification)) error {
	if !s.listen {
		<-ctx.Done()
		return ctx.Err()
	}
	if !s.ready.Load() {
		return store.ErrUnavailable
	}
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return s.classify(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // it may be broken, which is why we leave
	}()
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return s.classify(err)
	}
	notify(store.Notification{}) // what was told before is asked for
	return s.classify(receive(ctx, conn, notify))
}

// checkEvery is how often a silent connection is asked whether it is still there.
const checkEvery = 15 * time.Second

func receive(ctx context.Context, conn *pgx.Conn, notify func(store.Notification)) error {
	for {
		wait, cancel := context.WithTimeout(ctx, checkEvery)
		n, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil:
			incarnation, _ := strconv.ParseInt(n.Payload, 10, 64) // foreign payloads only cause a look
			notify(store.Notification{Incarnation: incarnation})
		case ctx.Err() != nil:
			return ctx.Err()
		case wait.Err() == nil:
			return err
		default:
			check, cancel := context.WithTimeout(ctx, checkEvery)
			err := conn.Ping(check)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}
