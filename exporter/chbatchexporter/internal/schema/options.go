package schema

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Options say how tables are made.
type Options struct {
	Database string
	// Cluster; not empty: DDL runs ON CLUSTER, tables are Replicated, and each has a Distributed table before it.
	Cluster string
	// TTLDays by table; a table without an entry keeps its default, 0 means for ever.
	TTLDays map[string]int
	// StoragePolicy of all tables; empty: the server's default.
	StoragePolicy string
	// Settings of all tables beside those that the exporter needs.
	Settings map[string]string
	// DedupWindow is how many inserts per table the server remembers.
	DedupWindow int
	// known are those of the lean settings that the server has.
	known map[string]bool
}

// LocalSuffix is what the tables behind Distributed ones end in.
const LocalSuffix = "_local"

// LocalName is the table that rows are written to.
func (o *Options) LocalName(table string) string {
	if o.Cluster != "" {
		return table + LocalSuffix
	}
	return table
}

// Quote writes a name as an identifier.
func Quote(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

// QuoteString writes a string literal.
func QuoteString(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s) + "'"
}

// Ident is database and table.
func (o *Options) Ident(table string) string { return Quote(o.Database) + "." + Quote(table) }

// onCluster is what DDL has behind the name.
func (o *Options) onCluster() string {
	if o.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + Quote(o.Cluster)
}

// engine writes an engine of the MergeTree family, Replicated on a cluster. Without arguments a Replicated engine uses
// the server's default path with its macros.
func (o *Options) engine(name string) string {
	if o.Cluster != "" {
		return "Replicated" + name
	}
	return name
}

// settings of a table.
func (o *Options) settings(t *Table) string {
	all := map[string]string{"ttl_only_drop_parts": "1"}
	if t.Engine == "MergeTree" { // those that sum are small, and better the more they are merged
		o.lean(all)
	}
	window := strconv.Itoa(o.DedupWindow)
	if o.Cluster == "" {
		all["non_replicated_deduplication_window"] = window
	} else {
		all["replicated_deduplication_window"] = window
		all["replicated_deduplication_window_seconds"] = strconv.Itoa(dedupSeconds)
	}
	if o.StoragePolicy != "" {
		all["storage_policy"] = QuoteString(o.StoragePolicy)
	}
	for k, v := range o.Settings {
		all[k] = settingValue(v)
	}
	parts := make([]string, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, k+" = "+all[k])
	}
	return strings.Join(parts, ", ")
}

// dedupSeconds is how long a Replicated table remembers inserts.
const dedupSeconds = 7 * 24 * 3600

func settingValue(v string) string {
	if _, err := strconv.ParseFloat(v, 64); err == nil {
		return v
	}
	return QuoteString(v)
}

// ttl is the clause for a table, empty when rows stay for ever.
func (o *Options) ttl(t *Table) string {
	days, ok := o.TTLDays[t.Name]
	if !ok {
		days = t.TTLDays
	}
	if days <= 0 {
		return ""
	}
	return fmt.Sprintf("TTL %s + toIntervalDay(%d)", t.ttlColumn(), days)
}
