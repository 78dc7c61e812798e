package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
)

// Columns of a table that rows can be inserted into: types by name.
type Columns map[string]string

// Has tells whether there is such a column.
func (c Columns) Has(name string) bool {
	_, ok := c[name]
	return ok
}

// Read reads the columns of all tables of the database that the exporter writes.
func Read(ctx context.Context, s Server, o *Options) (map[string]Columns, error) {
	var table, name, typ proto.ColStr
	out := map[string]Columns{}
	err := s.Query(ctx, "SELECT table, name, type FROM system.columns WHERE database = "+QuoteString(o.Database)+
		" AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')",
		proto.Results{{Name: "table", Data: &table}, {Name: "name", Data: &name}, {Name: "type", Data: &typ}},
		func(rows int) error {
			for i := range rows {
				t := table.Row(i)
				if o.Cluster != "" {
					local, ok := strings.CutSuffix(t, LocalSuffix)
					if !ok {
						continue // Distributed
					}
					t = local
				}
				if out[t] == nil {
					out[t] = Columns{}
				}
				out[t][name.Row(i)] = typ.Row(i)
			}
			return nil
		})
	return out, err
}

// Difference between a table and what the exporter writes.
type Difference struct {
	// Missing columns, whose values are left out.
	Missing []string
	// Retyped columns, whose values ClickHouse converts where it can.
	Retyped []Retyped
}

// Retyped is a column of another type than that of the values that are written.
type Retyped struct{ Name, Have, Want string }

func (r Retyped) String() string { return r.Name + " is " + r.Have + ", not " + r.Want }

// Convertible asks ClickHouse whether there is a conversion between the types at all. Single values may still fail.
func (r Retyped) Convertible(ctx context.Context, s Server) (bool, error) {
	err := s.Exec(ctx, fmt.Sprintf("SELECT CAST(defaultValueOfTypeName(%s), %s) FORMAT Null", QuoteString(r.Want), QuoteString(r.Have)))
	var server *chconn.Error
	if errors.As(err, &server) {
		return !slices.Contains(noConversion, server.Code), nil
	}
	return true, err
}

// noConversion are ILLEGAL_TYPE_OF_ARGUMENT, NOT_IMPLEMENTED, TYPE_MISMATCH and CANNOT_CONVERT_TYPE.
var noConversion = []chconn.Code{43, 48, 53, 70}

// Compare finds what a table lacks of the fields, given as name and type in turn.
func Compare(have Columns, fields [][2]string) Difference {
	var d Difference
	for _, f := range fields {
		typ, ok := have[f[0]]
		switch {
		case !ok:
			d.Missing = append(d.Missing, f[0])
		case typ != f[1] && !harmless(typ, f[1]):
			d.Retyped = append(d.Retyped, Retyped{Name: f[0], Have: typ, Want: f[1]})
		}
	}
	return d
}

// harmless differences are those of tables as they are made: times of metrics are written with nanoseconds always, and
// a dictionary or a time zone does not change the values.
func harmless(have, want string) bool {
	return normal(have) == normal(want)
}

func normal(t string) string {
	t = strings.ReplaceAll(t, "LowCardinality(String)", "String")
	if i := strings.Index(t, "DateTime"); i >= 0 {
		return t[:i] + "DateTime" // of any precision, in any zone, also in an array
	}
	return t
}
