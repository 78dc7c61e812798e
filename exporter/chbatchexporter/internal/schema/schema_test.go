package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStatements compares all DDL with files, of one server and of a cluster. AVIKA_UPDATE=1 writes them anew.
func TestStatements(t *testing.T) {
	for name, o := range map[string]*Options{
		"single": {Database: "nginx_analytics", DedupWindow: 10_000, TTLDays: map[string]int{"otel_logs": 3}},
		"cluster": {
			Database: "nginx_analytics", Cluster: "main", DedupWindow: 10_000, StoragePolicy: "tiered",
			Settings: map[string]string{"merge_with_ttl_timeout": "3600"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o.known = map[string]bool{}
			for setting := range leanSettings {
				o.known[setting] = true
			}
			got := strings.Join(migrations[0].statements(o), ";\n\n") + ";\n"
			path := filepath.Join("testdata", name+".sql")
			if os.Getenv("AVIKA_UPDATE") == "1" {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func TestOnAClusterRowsGoToLocalTables(t *testing.T) {
	o := &Options{Database: "d", Cluster: "main"}
	assert.Equal(t, "access_logs_local", o.LocalName("access_logs"))
	for _, s := range migrations[0].statements(o) {
		if strings.HasPrefix(s, "CREATE") {
			assert.Contains(t, s, "ON CLUSTER `main`")
		}
		if strings.Contains(s, "MATERIALIZED VIEW") {
			assert.Contains(t, s, "_local`")
		}
	}
}

func TestQuoting(t *testing.T) {
	assert.Equal(t, "`a\\`b`", Quote("a`b"))
	assert.Equal(t, `'a\'b\\c'`, QuoteString(`a'b\c`))
	assert.Equal(t, "12", settingValue("12"))
	assert.Equal(t, "'x y'", settingValue("x y"))
}

func TestCompare(t *testing.T) {
	have := Columns{"a": "String", "t": "DateTime('UTC')", "low": "LowCardinality(String)", "n": "String"}
	d := Compare(have, [][2]string{{"a", "String"}, {"t", "DateTime64(9)"}, {"low", "String"}, {"n", "UInt8"}, {"missing", "String"}})
	assert.Equal(t, []string{"missing"}, d.Missing)
	assert.Equal(t, []Retyped{{Name: "n", Have: "String", Want: "UInt8"}}, d.Retyped)
}

func TestAlignments(t *testing.T) {
	table := &accessLogs
	query := "CREATE TABLE d.access_logs (...) ENGINE = MergeTree TTL toDateTime(timestamp) + toIntervalDay(7) SETTINGS non_replicated_deduplication_window = 100, x = 1"
	for name, test := range map[string]struct {
		o    Options
		want []string
	}{
		"nothing to do": {Options{Database: "d", DedupWindow: 100}, nil},
		"window":        {Options{Database: "d", DedupWindow: 10}, []string{"ALTER TABLE `d`.`access_logs` MODIFY SETTING non_replicated_deduplication_window = 10"}},
		"same TTL":      {Options{Database: "d", DedupWindow: 100, TTLDays: map[string]int{"access_logs": 7}}, nil},
		"other TTL": {
			Options{Database: "d", DedupWindow: 100, TTLDays: map[string]int{"access_logs": 70}},
			[]string{"ALTER TABLE `d`.`access_logs` MODIFY TTL toDateTime(timestamp) + toIntervalDay(70) SETTINGS materialize_ttl_after_modify = 0"},
		},
		"no TTL": {Options{Database: "d", DedupWindow: 100, TTLDays: map[string]int{"access_logs": 0}}, []string{"ALTER TABLE `d`.`access_logs` REMOVE TTL"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, table.alignments(&test.o, "access_logs", query)) })
	}
}

// TestAnOlderServer does not get settings that it would refuse.
func TestAnOlderServer(t *testing.T) {
	for _, s := range migrations[0].statements(&Options{Database: "d"}) {
		for name := range leanSettings {
			assert.NotContains(t, s, name)
		}
	}
}
