package schema

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
)

// leanSettings make a table of many rows cost ClickHouse less (docs/adr/036). Older servers do not know them all.
var leanSettings = map[string]string{
	// An insert makes one file, not two for each column; the first merge makes those.
	"min_level_for_wide_part": "1",
	// A merge takes parts that together are fifty times as large as the largest of them, not five: a row is rewritten less often. The
	// more parts a partition has, the less ClickHouse asks for, from 50 parts on twice: so there are about 50 at most.
	"merge_selector_base": "50",
	// One file for a column of strings, not two.
	"string_serialization_version": "'single_stream'",
	// No statistics of every column at every merge: queries go by time and sort key.
	"auto_statistics_types": "''",
}

func (o *Options) lean(all map[string]string) {
	for name, value := range leanSettings {
		if o.known[name] {
			all[name] = value
		}
	}
}

// forServer returns the options for what a server knows. One that does not tell gets none of the lean settings.
func (o *Options) forServer(ctx context.Context, s Server) (*Options, error) {
	out := *o
	out.known = map[string]bool{}
	names := slices.Sorted(maps.Keys(leanSettings))
	for i := range names {
		names[i] = QuoteString(names[i])
	}
	var name proto.ColStr
	err := s.Query(ctx, "SELECT name FROM system.merge_tree_settings WHERE name IN ("+strings.Join(names, ", ")+")",
		proto.Results{{Data: &name}}, func(rows int) error {
			for i := range rows {
				out.known[name.Row(i)] = true
			}
			return nil
		})
	var server *chconn.Error
	if errors.As(err, &server) {
		err = nil
	}
	return &out, err
}
