package chbatchexporter

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
)

// inserter makes attempts to insert at the endpoints.
type inserter struct {
	endpoints []*endpoint
	routing   string
	reroute   bool
	async     bool
	timeout   time.Duration
	newComp   func() (*nativeblock.Compressor, error)
	next      atomic.Uint64
}

// Insert implements blockqueue.Inserter.
func (in *inserter) Insert(ctx context.Context, r blockqueue.Request) blockqueue.Outcome {
	e := in.choose(r)
	o, known := in.try(ctx, e, r)
	if o.Class == blockqueue.Stored && o.Duplicate && r.Doubtful {
		o = in.doubted(ctx, e, known, r)
	}
	if ctx.Err() == nil {
		e.complain(r.Table, o)
	}
	return o
}

// try makes the attempt within the timeout.
func (in *inserter) try(ctx context.Context, e *endpoint, r blockqueue.Request) (blockqueue.Outcome, *tableSet) {
	ctx, cancel := context.WithTimeout(ctx, in.timeout)
	defer cancel()
	known, err := e.ready(ctx)
	if err != nil {
		e.markDown()
		o, _ := classify(err, r.Attempt)
		o.Class = blockqueue.Retry // nothing was sent
		return o, nil
	}
	o, k := in.insertAt(ctx, e, known, r, failWithView)
	if k == mistyped && o.Class == blockqueue.Permanent && e.exclude(ctx, known, r.Table, o.Err) {
		o.Class = blockqueue.Retry
	}
	if o.Class == blockqueue.Permanent || (k == gone || k == stale) && r.Attempt >= viewAttempt {
		o, k = in.inSpiteOfViews(ctx, e, known, r, o)
	}
	if o.Class == blockqueue.Permanent && o.Code == notWritable {
		o.Class = blockqueue.Retry
	}
	e.learn(known, o, k)
	return o, known
}

// viewAttempt is the first one at which it may be a view that lacks a table or a column: the exporter's own tables were looked after before.
const viewAttempt = 3

// notWritable is the code of a table that takes no rows, whatever they are: somebody put a view in its place.
const notWritable = "48"

// onView says what an insert does when a view of the table fails.
type onView int

const (
	failWithView onView = iota
	ignoreView
)

// inSpiteOfViews tries again what was refused. It may be a view that refused: then the table has the rows, under this
// token, and to divide them would be to store them twice.
func (in *inserter) inSpiteOfViews(ctx context.Context, e *endpoint, known *tableSet, r blockqueue.Request, refused blockqueue.Outcome) (blockqueue.Outcome, kind) {
	o, k := in.insertAt(ctx, e, known, r, ignoreView)
	o.Unsure = o.Unsure || refused.Unsure
	if o.Class == blockqueue.Stored {
		o.Code = refused.Code
		e.log.Error("A view of a table fails: the table has the rows, the view lacks them. Put the view right",
			zap.String("table", r.Table), zap.Error(refused.Err))
	}
	return o, k
}

// choose the endpoint for an attempt.
func (in *inserter) choose(r blockqueue.Request) *endpoint {
	n := len(in.endpoints)
	first := 0
	switch in.routing {
	case routingRoundRobin:
		first = int(in.next.Add(1) % uint64(n))
	case routingShards:
		first = r.Shard % n
		if !in.reroute || !r.Movable {
			return in.endpoints[first]
		}
	}
	for i := range n {
		if e := in.endpoints[(first+i)%n]; !e.down() {
			return e
		}
	}
	return in.endpoints[first]
}

func (in *inserter) insertAt(ctx context.Context, e *endpoint, known *tableSet, r blockqueue.Request, view onView) (blockqueue.Outcome, kind) {
	if known.columns[r.Table] == nil {
		err := fmt.Errorf("table %s does not exist", r.Table)
		return blockqueue.Outcome{Class: blockqueue.Retry, Code: "missing", Err: err}, gone
	}
	keep := known.keep(r.Table)
	blocks, err := in.encode(r.Blocks, keep)
	if err != nil {
		return blockqueue.Outcome{Class: blockqueue.Permanent, Code: "encode", Err: err}, bad
	}
	stmt := in.statement(e.opts, r, keep)
	if view == ignoreView {
		stmt.Settings = append(stmt.Settings, chconn.Setting{Key: "materialized_views_ignore_errors", Value: "1"})
	}
	var sum chconn.Summary
	err = e.pool.Do(ctx, func(c *chconn.Conn) error {
		var err error
		sum, err = c.Insert(ctx, stmt, blocks)
		return err
	})
	if err == nil {
		return blockqueue.Outcome{Class: blockqueue.Stored, Duplicate: sum.Duplicates > 0}, unknown
	}
	o, k := classify(fmt.Errorf("insert into %s: %w", r.Table, err), r.Attempt)
	o.Unsure = sum.Sent
	return o, k
}

func (in *inserter) encode(sealed []*nativeblock.Sealed, keep func(string) bool) ([]chconn.Block, error) {
	comp, err := in.newComp()
	if err != nil {
		return nil, err
	}
	blocks := make([]chconn.Block, len(sealed))
	for i, s := range sealed {
		if blocks[i], err = s.Wire(comp, keep); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

func (in *inserter) statement(o *schema.Options, r blockqueue.Request, keep func(string) bool) chconn.Statement {
	var b strings.Builder
	b.WriteString("INSERT INTO " + o.Ident(o.LocalName(r.Table)) + " (")
	first := true
	for _, c := range r.Blocks[0].Columns {
		if !keep(c.Name) {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(schema.Quote(c.Name))
	}
	b.WriteString(") FORMAT Native")
	return chconn.Statement{SQL: b.String(), Settings: in.settings(r.Token)}
}

// settings are all those that the result depends on: defaults changed between releases and differ between servers.
func (in *inserter) settings(token string) []chconn.Setting {
	async := "0"
	if in.async {
		async = "1"
	}
	return []chconn.Setting{
		{Key: "async_insert", Value: async},
		{Key: "wait_for_async_insert", Value: "1"},
		{Key: "async_insert_deduplicate", Value: "1"},
		{Key: "insert_deduplicate", Value: "1"},
		{Key: "deduplicate_insert", Value: "enable"}, // newer servers go by this, and older ones ignore it
		{Key: "insert_deduplication_token", Value: token},
		// A view gets a block again whose rows the table has: it may not have them yet.
		{Key: "deduplicate_blocks_in_dependent_materialized_views", Value: "1"},
		// Blocks of an insert are put together, so that it makes one part and is one unit of deduplication.
		{Key: "min_insert_block_size_rows", Value: "1048449"},
		{Key: "min_insert_block_size_bytes", Value: "268402944"},
		{Key: "max_insert_threads", Value: "1"},
		{Key: "parallel_view_processing", Value: "0"},
		// The queue bounds the partitions of an insert itself.
		{Key: "max_partitions_per_insert_block", Value: "0"},
		{Key: "send_logs_level", Value: "none"},
		// They tell that an insert is a duplicate.
		{Key: "send_profile_events", Value: "1"},
	}
}
