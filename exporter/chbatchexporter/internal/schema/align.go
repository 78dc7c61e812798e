package schema

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// align brings settings of tables in line that may have changed in the configuration, or that a table has not which
// somebody else made: the deduplication window, without which a retry doubles rows, and expiry.
func align(ctx context.Context, s Server, o *Options) error {
	queries, err := createQueries(ctx, s, o)
	if err != nil {
		return err
	}
	var statements []string
	for _, t := range tables() {
		name := o.LocalName(t.Name)
		if query, ok := queries[name]; ok {
			statements = append(statements, t.alignments(o, name, query)...)
		}
	}
	return execAll(ctx, s, statements)
}

// createQueries are the CREATE statements of the database's MergeTree tables.
func createQueries(ctx context.Context, s Server, o *Options) (map[string]string, error) {
	var name, query proto.ColStr
	out := map[string]string{}
	err := s.Query(ctx, "SELECT name, create_table_query FROM system.tables WHERE engine LIKE '%MergeTree' AND database = "+QuoteString(o.Database),
		proto.Results{{Name: "name", Data: &name}, {Name: "create_table_query", Data: &query}}, func(rows int) error {
			for i := range rows {
				out[name.Row(i)] = query.Row(i)
			}
			return nil
		})
	return out, err
}

func (t *Table) alignments(o *Options, name, query string) (out []string) {
	alter := "ALTER TABLE " + o.Ident(name) + o.onCluster() + " "
	window := "replicated_deduplication_window"
	if !strings.Contains(query, "= Replicated") {
		window = "non_" + window
	}
	size, own := o.Settings[window]
	if !own {
		size = strconv.Itoa(o.DedupWindow)
	}
	if want := window + " = " + size; !hasSetting(query, want) {
		out = append(out, alter+"MODIFY SETTING "+want)
	}
	days, configured := o.TTLDays[t.Name]
	if !configured {
		return out
	}
	switch ttl := o.ttl(t); {
	case days == 0 && strings.Contains(query, " TTL "):
		out = append(out, alter+"REMOVE TTL")
	case days > 0 && !strings.Contains(query, " "+ttl+" "):
		// What is there already expires when its part is merged the next time.
		out = append(out, fmt.Sprintf("%sMODIFY %s SETTINGS materialize_ttl_after_modify = 0", alter, ttl))
	}
	return out
}

// hasSetting finds a setting that is not the end of another one's name.
func hasSetting(query, setting string) bool {
	return strings.Contains(query, " "+setting+",") || strings.HasSuffix(query, " "+setting)
}
