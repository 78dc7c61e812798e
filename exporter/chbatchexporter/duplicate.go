package chbatchexporter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
)

// doubtTimeout bounds the search for rows, which a short timeout of inserts must not prevent.
const doubtTimeout = 30 * time.Second

// doubted looks for the rows of an insert that ClickHouse calls a duplicate of an attempt whose end nobody knows. ClickHouse without
// replication writes the token of an insert down before its part: killed between the two, it has the one without the other.
func (in *inserter) doubted(ctx context.Context, e *endpoint, known *tableSet, r blockqueue.Request) blockqueue.Outcome {
	ctx, cancel := context.WithTimeout(ctx, max(in.timeout, doubtTimeout))
	defer cancel()
	d := newDoubt(in, e.opts, known, r)
	out := blockqueue.Outcome{Class: blockqueue.Stored, Duplicate: true}
	err := e.pool.Do(ctx, func(c *chconn.Conn) error {
		d.conn = c
		return d.settle(ctx, &out)
	})
	if err == nil {
		if out.Restored > 0 {
			e.log.Warn("ClickHouse had lost rows of an insert that it called a duplicate: they are inserted again",
				zap.String("table", r.Table), zap.Int("rows", out.Restored))
		}
		return out
	}
	err = fmt.Errorf("look for the rows of a duplicate in %s: %w", r.Table, err)
	failed, k := classify(err, r.Attempt)
	failed.Unsure = true
	switch {
	case !refused(failed, err):
	case d.lacks > 0:
		failed, k = in.insertAgain(ctx, e, known, r, d.lacks, err)
	default:
		e.log.Warn("ClickHouse calls an insert a duplicate, and does not let its rows be looked for: they are taken for stored",
			zap.String("table", r.Table), zap.Error(err))
		return blockqueue.Outcome{Class: blockqueue.Stored, Duplicate: true, Check: blockqueue.CheckUnknown}
	}
	e.learn(known, failed, k)
	return failed
}

// maxAgain is how many further tokens rows are inserted under: that of an insert that was lost is lost too.
const maxAgain = 10

// errLost is for rows of which ClickHouse has nothing but the tokens.
var errLost = errors.New("ClickHouse calls the insert a duplicate under every token that was tried, and lacks its rows")

// insertAgain inserts rows under another token that are lost and that ClickHouse does not let be put back past the views. What is lost
// under each is refused: the queue divides it, and dead-letters what is lost even then.
func (in *inserter) insertAgain(ctx context.Context, e *endpoint, known *tableSet, r blockqueue.Request, lost int, cause error) (o blockqueue.Outcome, k kind) {
	r.Doubtful = false
	for range maxAgain {
		r.Token += "-again"
		if o, k = in.insertAt(ctx, e, known, r, failWithView); !o.Duplicate {
			break
		}
	}
	if o.Duplicate {
		e.log.Error("ClickHouse has lost rows of an insert under every token that was tried",
			zap.String("table", r.Table), zap.Int("rows", lost), zap.Error(cause))
		return blockqueue.Outcome{Class: blockqueue.Permanent, Code: "lost", Err: fmt.Errorf("insert into %s: %w", r.Table, errLost)}, bad
	}
	if o.Class == blockqueue.Stored {
		o.Check, o.Restored = blockqueue.CheckRestored, lost
		e.log.Warn("ClickHouse had lost rows of an insert that it called a duplicate: they are inserted again, and its views count them twice",
			zap.String("table", r.Table), zap.Int("rows", lost), zap.Error(cause))
	}
	return o, k
}

// refused tells whether ClickHouse will go on refusing: for lack of rights, or because it does not know how.
func refused(o blockqueue.Outcome, err error) bool {
	var server *chconn.Error
	return o.Class == blockqueue.Permanent || errors.Is(err, errNoParts) || errors.As(err, &server) && server.Code == accessDenied
}

// errNoParts is for tables that pass their rows on. A copy of a Distributed table has the servers of the first one: rows would be there twice.
var errNoParts = errors.New("its engine keeps no parts of its own")

const accessDenied = 497

// doubt is one insert whose rows are looked for. Its statements are on one connection, which has the rows in a temporary table, and
// have one id: ClickHouse refuses them while one of an earlier attempt still runs.
type doubt struct {
	in      *inserter
	conn    *chconn.Conn
	request blockqueue.Request
	keep    func(column string) bool
	// table and columns are quoted; hash tells rows apart.
	id, table, columns, hash string
	// when names the column of time, or is empty.
	when string
	opts *schema.Options
	// lacks is how many rows are in parts that the table was found to lack.
	lacks int
}

// doubtedTable is temporary, so that it needs no name of its own.
const doubtedTable = "ch_batch_doubted"

func newDoubt(in *inserter, o *schema.Options, known *tableSet, r blockqueue.Request) *doubt {
	d := &doubt{
		in: in, opts: o, request: r, keep: known.keep(r.Table), id: "ch_batch_doubted_" + r.Token, table: o.Ident(o.LocalName(r.Table)),
	}
	var columns, hashed []string
	for _, c := range r.Blocks[0].Columns {
		if !d.keep(c.Name) {
			continue
		}
		name := schema.Quote(c.Name)
		columns = append(columns, name)
		if strings.HasPrefix(known.columns[r.Table][c.Name], "Map(") {
			name = "mapSort(" + name + ")" // a table may keep the keys in another order
		}
		hashed = append(hashed, name)
	}
	d.columns, d.hash = strings.Join(columns, ", "), "sipHash128("+strings.Join(hashed, ", ")+")"
	if t := schema.TimeColumn(r.Table); d.keep(t) {
		d.when = schema.Quote(t)
	}
	return d
}

// settle finds out whether the rows are there, and puts those back that are not.
func (d *doubt) settle(ctx context.Context, out *blockqueue.Outcome) error {
	out.Check = blockqueue.CheckStored
	engine, err := d.engine(ctx)
	if err != nil || strings.HasPrefix(engine, "Replicated") || strings.HasPrefix(engine, "Shared") {
		return err // these keep token and part together
	}
	if name, _, _ := strings.Cut(strings.TrimSpace(engine), "("); !strings.Contains(name, "MergeTree") {
		return fmt.Errorf("%s: %w", engine, errNoParts)
	}
	if err := d.fill(ctx, engine); err != nil {
		return err
	}
	partitions, err := d.look(ctx)
	if err == nil {
		err = d.restore(ctx, partitions)
	}
	if err == nil {
		err = d.exec(ctx, "DROP TEMPORARY TABLE "+doubtedTable)
	}
	if d.lacks > 0 {
		out.Check, out.Restored = blockqueue.CheckRestored, d.lacks
	}
	return err
}

// engine of the table as CREATE TABLE has it.
func (d *doubt) engine(ctx context.Context) (engine string, err error) {
	var full proto.ColStr
	err = d.query(ctx, "SELECT CAST(engine_full, 'String') FROM system.tables WHERE database = "+schema.QuoteString(d.opts.Database)+
		" AND name = "+schema.QuoteString(d.opts.LocalName(d.request.Table)), proto.Results{{Data: &full}}, func(i int) { engine = full.Row(i) })
	return engine, err
}

// fill puts the rows into a temporary table that is made as the table is.
func (d *doubt) fill(ctx context.Context, engine string) error {
	for _, sql := range []string{
		"DROP TEMPORARY TABLE IF EXISTS " + doubtedTable,
		"CREATE TEMPORARY TABLE " + doubtedTable + " AS " + d.table + " ENGINE = " + engine,
	} {
		if err := d.exec(ctx, sql); err != nil {
			return err
		}
	}
	blocks, err := d.in.encode(d.request.Blocks, d.keep)
	if err != nil {
		return err
	}
	settings := append(d.in.settings(""), chconn.Setting{Key: "async_insert", Value: "0"})
	_, err = d.conn.Insert(ctx, chconn.Statement{
		ID: d.id, SQL: "INSERT INTO " + doubtedTable + " (" + d.columns + ") FORMAT Native", Settings: settings,
	}, blocks)
	return err
}

// look finds the partitions of which the table lacks rows, and counts the rows that they have here. An insert makes one part in each
// partition, which is there or not as a whole.
func (d *doubt) look(ctx context.Context) (partitions []string, err error) {
	there := "SELECT " + d.hash + " FROM " + d.table
	if d.when != "" {
		there += " WHERE " + d.when + " IN (SELECT " + d.when + " FROM " + doubtedTable + ")"
	}
	var partition proto.ColStr
	var rows proto.ColUInt64
	sql := "SELECT CAST(_partition_id, 'String') AS p, CAST(count(), 'UInt64') AS n FROM " + doubtedTable +
		" GROUP BY p HAVING countIf(" + d.hash + " NOT IN (" + there + ")) > 0"
	err = d.query(ctx, sql, proto.Results{{Data: &partition}, {Data: &rows}}, func(i int) {
		partitions = append(partitions, partition.Row(i))
		d.lacks += int(rows[i])
	})
	return partitions, err
}

// restore moves partitions into the table. Views do not see what is moved: they have the rows from the attempt that ClickHouse called a
// duplicate, or an earlier one.
func (d *doubt) restore(ctx context.Context, partitions []string) error {
	for _, p := range partitions {
		if err := d.exec(ctx, "ALTER TEMPORARY TABLE "+doubtedTable+" MOVE PARTITION ID "+schema.QuoteString(p)+" TO TABLE "+d.table); err != nil {
			return err
		}
	}
	return nil
}

func (d *doubt) exec(ctx context.Context, sql string) error {
	return d.conn.Exec(ctx, chconn.Statement{ID: d.id, SQL: sql})
}

// query calls onRow for each row of a result.
func (d *doubt) query(ctx context.Context, sql string, columns proto.Results, onRow func(i int)) error {
	return d.conn.Query(ctx, chconn.Statement{ID: d.id, SQL: sql}, columns, func(rows int) error {
		for i := range rows {
			onRow(i)
		}
		return nil
	})
}
