package schema

import (
	"fmt"
	"strings"
)

// Table is a table of the MergeTree family.
type Table struct {
	Name    string
	Columns []Column
	Indexes []string
	Engine  string
	// Time is the column that partitions and expiry go by.
	Time    string
	OrderBy string
	TTLDays int
	// Own tables get columns that they lack; those that contrib's exporter defines are taken as they are.
	Own bool
}

// Column of a table.
type Column struct {
	Name, Type string
	// Rest is what follows the type: MATERIALIZED, ALIAS, CODEC.
	Rest string
}

func (c *Column) ddl() string {
	return strings.TrimRight(Quote(c.Name)+" "+c.Type+" "+c.Rest, " ")
}

func (t *Table) ttlColumn() string {
	for i := range t.Columns {
		if t.Columns[i].Name == t.Time && !strings.HasPrefix(t.Columns[i].Type, "DateTime64") {
			return t.Time
		}
	}
	return "toDateTime(" + t.Time + ")"
}

// TimeColumn is the column that a table's partitions go by; empty: there is no such table.
func TimeColumn(table string) string {
	for _, t := range tables() {
		if t.Name == table {
			return t.Time
		}
	}
	return ""
}

// statements that make the table and bring an older one up to date. All of them may run again at any time.
func (t *Table) statements(o *Options) []string {
	name := o.LocalName(t.Name)
	out := []string{t.create(o, name)}
	if t.Own {
		out = append(out, t.addColumns(o, name))
	}
	if o.Cluster != "" {
		out = append(out, t.distributed(o))
	}
	return out
}

func (t *Table) create(o *Options, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s%s (\n", o.Ident(name), o.onCluster())
	for i := range t.Columns {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString("    " + t.Columns[i].ddl())
	}
	for _, index := range t.Indexes {
		b.WriteString(",\n    INDEX " + index)
	}
	fmt.Fprintf(&b, "\n) ENGINE = %s\nPARTITION BY toDate(%s)\nORDER BY (%s)\n", o.engine(t.Engine), t.Time, t.OrderBy)
	if ttl := o.ttl(t); ttl != "" {
		b.WriteString(ttl + "\n")
	}
	b.WriteString("SETTINGS " + o.settings(t))
	return b.String()
}

// addColumns gives a table that an older version made the columns it lacks.
func (t *Table) addColumns(o *Options, name string) string {
	parts := make([]string, len(t.Columns))
	for i := range t.Columns {
		parts[i] = "ADD COLUMN IF NOT EXISTS " + t.Columns[i].ddl()
	}
	return "ALTER TABLE " + o.Ident(name) + o.onCluster() + " " + strings.Join(parts, ", ")
}

// distributed is the table that queries read on a cluster. The exporter writes to the local tables itself.
func (t *Table) distributed(o *Options) string {
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s ENGINE = Distributed(%s, %s, %s, rand())",
		o.Ident(t.Name), o.onCluster(), o.Ident(o.LocalName(t.Name)),
		QuoteString(o.Cluster), QuoteString(o.Database), QuoteString(o.LocalName(t.Name)))
}

// View is a view, or a materialized view when To is set.
type View struct {
	Name, To, From, Select string
}

func (v *View) statement(o *Options) string {
	if v.To == "" {
		return fmt.Sprintf("CREATE VIEW IF NOT EXISTS %s%s AS %s",
			o.Ident(v.Name), o.onCluster(), strings.ReplaceAll(v.Select, "{from}", o.Ident(v.From)))
	}
	return fmt.Sprintf("CREATE MATERIALIZED VIEW IF NOT EXISTS %s%s TO %s AS %s",
		o.Ident(v.Name), o.onCluster(), o.Ident(o.LocalName(v.To)),
		strings.ReplaceAll(v.Select, "{from}", o.Ident(o.LocalName(v.From))))
}
