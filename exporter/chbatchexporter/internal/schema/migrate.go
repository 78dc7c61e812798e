package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
)

// Server runs statements on one ClickHouse.
type Server interface {
	Exec(ctx context.Context, sql string) error
	Query(ctx context.Context, sql string, result proto.Result, onBlock func(rows int) error) error
}

// migration brings the schema to a version. Its statements may run again, also at the same time from other replicas.
type migration struct {
	version    int
	statements func(o *Options) []string
}

// tables and views in the order in which they can be made.
func tables() []*Table {
	all := []*Table{
		&accessLogs, &errorLogs, &nginxMetrics, &systemMetrics, &gatewayMetrics, &traffic5Min, &geoHourly,
		&otelLogs, &otelTraces, &otelTraceIDs,
	}
	for i := range otelMetrics {
		all = append(all, &otelMetrics[i])
	}
	return all
}

var views = []*View{&traffic5MinView, &geoHourlyView, &otelTraceIDsView, &spansView}

var migrations = []migration{{version: 1, statements: func(o *Options) []string {
	var out []string
	for _, t := range tables() {
		out = append(out, t.statements(o)...)
	}
	for _, v := range views {
		out = append(out, v.statement(o))
	}
	return out
}}}

// versionTable records which migrations were made, by whom it may be.
const versionTable = "avika_schema_versions"

// Ensure makes what is missing, as far as ClickHouse allows. With again, all migrations run once more: a table was dropped. It returns a version that
// a newer exporter has recorded, else 0.
func Ensure(ctx context.Context, s Server, o *Options, again bool) (newer int, err error) {
	have, err := recorded(ctx, s, o)
	if create := notThere(o, err); create != nil {
		err = execAll(ctx, s, create)
	}
	if err != nil {
		return 0, err
	}
	var failed error
	for _, m := range migrations {
		if slices.Contains(have, uint32(m.version)) && !again {
			continue
		}
		if failed = m.run(ctx, s, o, !slices.Contains(have, uint32(m.version))); failed != nil {
			break
		}
	}
	if last := migrations[len(migrations)-1].version; len(have) > 0 && int(slices.Max(have)) > last {
		newer = int(slices.Max(have))
	}
	return newer, errors.Join(failed, align(ctx, s, o))
}

// notThere is what makes the table of versions, and the database, when err says that there is none. On a cluster each statement
// waits for every server: one that is down must not hold up a gateway whose tables are made.
func notThere(o *Options, err error) (create []string) {
	var server *chconn.Error
	if !errors.As(err, &server) {
		return nil
	}
	if server.Code == unknownDatabase {
		create = append(create, "CREATE DATABASE IF NOT EXISTS "+Quote(o.Database)+o.onCluster())
	}
	if server.Code == unknownDatabase || server.Code == unknownTable {
		create = append(create, "CREATE TABLE IF NOT EXISTS "+o.Ident(versionTable)+o.onCluster()+
			" (version UInt32, applied DateTime DEFAULT now()) ENGINE = "+o.engine("MergeTree")+" ORDER BY version")
	}
	return create
}

const (
	unknownTable    = 60
	unknownDatabase = 81
)

func (m *migration) run(ctx context.Context, s Server, o *Options, record bool) error {
	o, err := o.forServer(ctx, s)
	if err != nil {
		return err
	}
	if err := execAll(ctx, s, m.statements(o)); err != nil {
		return fmt.Errorf("migrate to version %d: %w", m.version, err)
	}
	if !record {
		return nil
	}
	return s.Exec(ctx, fmt.Sprintf("INSERT INTO %s (version) SELECT %d", o.Ident(versionTable), m.version))
}

func recorded(ctx context.Context, s Server, o *Options) ([]uint32, error) {
	var col proto.ColUInt32
	var out []uint32
	err := s.Query(ctx, "SELECT DISTINCT version FROM "+o.Ident(versionTable), proto.Results{{Data: &col}}, func(int) error {
		out = append(out, col...)
		return nil
	})
	return out, err
}

// alreadyThere are the codes of statements that another replica was quicker with.
var alreadyThere = []chconn.Code{57, 82, 44, 15} // TABLE, DATABASE exists; column exists, duplicate column

// execAll goes on behind a statement that is refused: what is wrong with one table must not keep the others from being made.
func execAll(ctx context.Context, s Server, statements []string) error {
	var refused []error
	for _, sql := range statements {
		err := s.Exec(ctx, sql)
		var server *chconn.Error
		if err == nil || errors.As(err, &server) && slices.Contains(alreadyThere, server.Code) {
			continue
		}
		refused = append(refused, err)
		if server == nil {
			break // no answer
		}
	}
	return errors.Join(refused...)
}
