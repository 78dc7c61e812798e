package chbatchexporter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
)

// endpoint is one ClickHouse server with what is known of its tables.
type endpoint struct {
	pool   *chconn.Pool
	opts   *schema.Options
	create bool
	log    *zap.Logger

	// preparing is held by the one who creates or reads tables.
	preparing chan struct{}
	tables    atomic.Pointer[tableSet]
	// missing: a table was dropped, all have to be looked after again.
	missing atomic.Bool
	// retryAt and lastErr of preparation, guarded by preparing.
	retryAt    time.Time
	lastErr    error
	complaints complaints
	// downUntil is a time in Unix nanoseconds before which other endpoints are preferred.
	downUntil atomic.Int64
}

// tableSet is what the columns were when they were read.
type tableSet struct {
	columns map[string]schema.Columns
	// excluded columns have types that values cannot be converted to.
	excluded map[string]map[string]bool
	// recheck is when the columns are read again though no insert asks for it, for what is missing may be back; zero: nothing is.
	recheck time.Time
}

func newTableSet(columns map[string]schema.Columns) *tableSet {
	t := &tableSet{columns: columns, excluded: map[string]map[string]bool{}}
	for _, name := range rows.Tables() {
		if len(schema.Compare(columns[name], rows.Fields(name)).Missing) > 0 {
			t.recheck = time.Now().Add(recheckEvery)
		}
	}
	return t
}

// keep accepts the columns of a table that values go into.
func (t *tableSet) keep(table string) func(column string) bool {
	have, excluded := t.columns[table], t.excluded[table]
	return func(column string) bool { return have.Has(column) && !excluded[column] }
}

const (
	// prepareEvery is the shortest time between attempts to create tables.
	prepareEvery   = time.Second
	prepareTimeout = 60 * time.Second
	// recheckEvery is how long values have no column that is there again.
	recheckEvery = time.Minute
	// downTime is how long an endpoint that failed is avoided.
	downTime = 5 * time.Second
)

func newEndpoint(pool *chconn.Pool, opts *schema.Options, create bool, log *zap.Logger) *endpoint {
	return &endpoint{
		pool: pool, opts: opts, create: create, preparing: make(chan struct{}, 1),
		log: log.With(zap.String("endpoint", pool.Addr())),
	}
}

// Exec implements schema.Server.
func (e *endpoint) Exec(ctx context.Context, sql string) error {
	return e.pool.Do(ctx, func(c *chconn.Conn) error { return c.Exec(ctx, chconn.Statement{SQL: sql}) })
}

// Query implements schema.Server.
func (e *endpoint) Query(ctx context.Context, sql string, result proto.Result, onBlock func(rows int) error) error {
	return e.pool.Do(ctx, func(c *chconn.Conn) error {
		return c.Query(ctx, chconn.Statement{SQL: sql}, result, onBlock)
	})
}

// ready returns the tables, after creating and reading them when that is due.
func (e *endpoint) ready(ctx context.Context) (*tableSet, error) {
	if t := e.tables.Load(); t != nil {
		e.lookAgain(ctx, t)
		return t, nil
	}
	select {
	case e.preparing <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-e.preparing }()
	if t := e.tables.Load(); t != nil {
		return t, nil
	}
	if time.Now().Before(e.retryAt) {
		return nil, e.lastErr
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	t, err := e.prepare(ctx)
	if err != nil {
		e.lastErr, e.retryAt = err, time.Now().Add(prepareEvery)
		return nil, err
	}
	e.tables.Store(t)
	return t, nil
}

// lookAgain makes the next insert know the columns that have come back.
func (e *endpoint) lookAgain(ctx context.Context, known *tableSet) {
	if known.recheck.IsZero() || time.Now().Before(known.recheck) {
		return
	}
	next := *known
	next.recheck = time.Now().Add(recheckEvery)
	if !e.tables.CompareAndSwap(known, &next) {
		return // somebody else does
	}
	columns, err := schema.Read(ctx, e, e.opts)
	if err != nil || maps.EqualFunc(columns, known.columns, maps.Equal) {
		return
	}
	t := newTableSet(columns) // without exclusions: an insert finds out whether they still hold
	e.report(t)
	e.tables.CompareAndSwap(&next, t)
}

func (e *endpoint) prepare(ctx context.Context) (*tableSet, error) {
	if e.create {
		if err := e.migrate(ctx); err != nil {
			return nil, err
		}
	}
	columns, err := schema.Read(ctx, e, e.opts)
	if err != nil {
		return nil, fmt.Errorf("read the tables' columns: %w", err)
	}
	t := newTableSet(columns)
	e.report(t)
	return t, nil
}

// migrate creates tables. When ClickHouse refuses a statement the tables may be good enough as they are.
func (e *endpoint) migrate(ctx context.Context) error {
	newer, err := schema.Ensure(ctx, e, e.opts, e.missing.Swap(false))
	var server *chconn.Error
	switch {
	case errors.As(err, &server):
		e.log.Error("The tables could not be brought up to date", zap.Error(err))
		if kinds[server.Code] == later {
			return fmt.Errorf("create tables: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("create tables: %w", err)
	case newer > 0:
		e.log.Warn("A newer version of the exporter has made the tables", zap.Int("schema_version", newer))
	}
	return nil
}

// report names the columns that are not as expected.
func (e *endpoint) report(t *tableSet) {
	for _, name := range rows.Tables() {
		have := t.columns[name]
		if have == nil {
			e.log.Warn("A table is missing", zap.String("table", name))
			continue
		}
		d := schema.Compare(have, rows.Fields(name))
		if len(d.Missing) > 0 {
			e.log.Warn("A table lacks columns: their values are not stored", zap.String("table", name), zap.Strings("columns", d.Missing))
		}
		if len(d.Retyped) > 0 {
			e.log.Warn("A table has columns of other types: ClickHouse converts values where it can",
				zap.String("table", name), zap.Stringers("columns", d.Retyped))
		}
	}
}

// learn takes from a failure what it says about the endpoint and its tables.
func (e *endpoint) learn(known *tableSet, o blockqueue.Outcome, k kind) {
	switch {
	case o.Class == blockqueue.Stored:
	case k == stale, k == gone:
		e.forget(known, k)
	case k == later:
		e.markDown()
	}
}

// forget makes the next attempt read the columns again.
func (e *endpoint) forget(known *tableSet, k kind) {
	if k == gone {
		e.missing.Store(true)
	}
	e.tables.CompareAndSwap(known, nil)
}

// exclude leaves out the columns of a table that values cannot be converted to. It returns false when there is none.
func (e *endpoint) exclude(ctx context.Context, known *tableSet, table string, cause error) bool {
	columns, err := schema.Read(ctx, e, e.opts) // they may have changed just now
	if err != nil {
		return true
	}
	next := &tableSet{columns: columns, excluded: maps.Clone(known.excluded), recheck: time.Now().Add(recheckEvery)}
	excluded := map[string]bool{}
	var bad []schema.Retyped
	for _, r := range schema.Compare(columns[table], rows.Fields(table)).Retyped {
		if ok, err := r.Convertible(ctx, e); err == nil && !ok {
			bad = append(bad, r)
			excluded[r.Name] = true
		}
	}
	if len(bad) == 0 || len(known.excluded[table]) == len(bad) {
		return false
	}
	next.excluded[table] = excluded
	e.log.Error("Values cannot be converted to the types of a table's columns: they are not stored",
		zap.String("table", table), zap.Stringers("columns", bad), zap.Error(cause))
	e.tables.CompareAndSwap(known, next)
	return true
}

// complaints are the failures that were logged, and when.
type complaints struct {
	mu     sync.Mutex
	logged map[complaint]time.Time
}

type complaint struct{ table, code string }

// complainEvery is the shortest time between two lines about the same code at the same table.
const complainEvery = time.Minute

// due tells whether it is time for a line.
func (c *complaints) due(about complaint, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, said := c.logged[about]; said && now.Sub(last) < complainEvery {
		return false
	}
	if c.logged == nil {
		c.logged = map[complaint]time.Time{}
	}
	c.logged[about] = now
	return true
}

// complain logs why an insert is tried again. Rows that never can be inserted are logged where they go.
func (e *endpoint) complain(table string, o blockqueue.Outcome) {
	again := o.Class == blockqueue.Retry || o.Class == blockqueue.Throttle
	if again && e.complaints.due(complaint{table, o.Code}, time.Now()) {
		e.log.Warn("An insert failed, and is tried again as retry_on_failure says",
			zap.String("table", table), zap.String("code", o.Code), zap.Error(o.Err))
	}
}

// markDown makes other endpoints come first for a while.
func (e *endpoint) markDown() { e.downUntil.Store(time.Now().Add(downTime).UnixNano()) }

func (e *endpoint) down() bool { return time.Now().UnixNano() < e.downUntil.Load() }
