package chconn_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

func dial(t testing.TB) *chconn.Conn {
	t.Helper()
	c, err := chconn.Dial(t.Context(), chconn.Options{Addr: testenv.ClickHouse(t), User: "default", DialTimeout: 10 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func exec(t testing.TB, c *chconn.Conn, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	require.NoError(t, c.Exec(ctx, chconn.Statement{SQL: sql}), sql)
}

// ask returns the rows of a query whose one column is a String.
func ask(t testing.TB, c *chconn.Conn, sql string) string {
	t.Helper()
	var col proto.ColStr
	var lines []string
	err := c.Query(t.Context(), chconn.Statement{SQL: sql}, proto.Results{{Data: &col}}, func(rows int) error {
		for i := range rows {
			lines = append(lines, col.Row(i))
		}
		return nil
	})
	require.NoError(t, err, sql)
	return strings.Join(lines, "\n")
}

// table makes an empty table in a database of the test's own.
func table(t testing.TB, c *chconn.Conn, columns string) string {
	t.Helper()
	db := "t_" + strings.ToLower(strings.NewReplacer("/", "_", "-", "_").Replace(t.Name()))
	exec(t, c, "DROP DATABASE IF EXISTS "+db)
	exec(t, c, "CREATE DATABASE "+db)
	t.Cleanup(func() { exec(t, c, "DROP DATABASE IF EXISTS "+db) })
	exec(t, c, fmt.Sprintf("CREATE TABLE %s.t (%s) ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 100", db, columns))
	return db + ".t"
}

type kitchenSink struct {
	block   nativeblock.Block
	n       *nativeblock.Fixed
	s       *nativeblock.String
	low     *nativeblock.LowCardinality
	m       *nativeblock.Map
	plain   *nativeblock.Map
	arr     *nativeblock.Array[*nativeblock.Fixed]
	lows    *nativeblock.Array[*nativeblock.LowCardinality]
	maps    *nativeblock.Array[*nativeblock.Map]
	dt, dt9 *nativeblock.Fixed
}

const sinkColumns = "n UInt64, s String, low LowCardinality(String), m Map(LowCardinality(String), String), " +
	"plain Map(String, String), arr Array(Float64), lows Array(LowCardinality(String)), " +
	"maps Array(Map(LowCardinality(String), String)), dt DateTime64(3), dt9 DateTime64(9)"

func newSink() *kitchenSink {
	k := &kitchenSink{
		n: nativeblock.NewFixed(8), s: nativeblock.NewString(), low: nativeblock.NewLowCardinality(), m: nativeblock.NewMap(),
		plain: nativeblock.NewPlainMap(), arr: nativeblock.NewArray(nativeblock.NewFixed(8)),
		lows: nativeblock.NewArray(nativeblock.NewLowCardinality()), maps: nativeblock.NewArray(nativeblock.NewMap()),
		dt: nativeblock.NewFixed(8), dt9: nativeblock.NewFixed(8),
	}
	k.block.Fields = []nativeblock.Field{
		{Name: "n", Type: "UInt64", Column: k.n},
		{Name: "s", Type: "String", Column: k.s},
		{Name: "low", Type: "LowCardinality(String)", Column: k.low},
		{Name: "m", Type: "Map(LowCardinality(String), String)", Column: k.m},
		{Name: "plain", Type: "Map(String, String)", Column: k.plain},
		{Name: "arr", Type: "Array(Float64)", Column: k.arr},
		{Name: "lows", Type: "Array(LowCardinality(String))", Column: k.lows},
		{Name: "maps", Type: "Array(Map(LowCardinality(String), String))", Column: k.maps},
		{Name: "dt", Type: "DateTime64(3)", Column: k.dt},
		{Name: "dt9", Type: "DateTime64(9)", Column: k.dt9},
	}
	return k
}

// add appends a row that is a function of i; every third has empty collections.
func (k *kitchenSink) add(i int) {
	k.block.Rows++
	k.n.Append64(uint64(i))
	k.s.Append(strings.Repeat("x", i%300))
	k.low.Append(fmt.Sprint("low", i%400))
	if i%3 != 0 {
		for j := range i % 5 {
			k.m.Key(fmt.Sprint("k", j))
			k.m.Values().Append(fmt.Sprint("v", i))
			k.plain.Key(fmt.Sprint("p", j))
			k.plain.Values().Append("")
			k.arr.Values.AppendFloat64(float64(j) / 2)
			k.lows.Values.Append(fmt.Sprint("l", j))
			k.maps.Values.Key("a")
			k.maps.Values.Values().Append(fmt.Sprint(j))
			k.maps.Values.End()
		}
	}
	k.m.End()
	k.plain.End()
	k.arr.End()
	k.lows.End()
	k.maps.End()
	k.dt.Append64(1_700_000_000_123)
	k.dt9.Append64(1_700_000_000_123_456_789)
}

// sinkRow is what ClickHouse must show for row number n.
const sinkCheck = `SELECT toString(countIf(
	length(s) = n % 300 AND low = concat('low', toString(n % 400))
	AND length(m) = if(n % 3 = 0, 0, n % 5) AND arrayAll(x -> x = concat('v', toString(n)), mapValues(m))
	AND mapKeys(m) = arrayMap(j -> concat('k', toString(j)), range(length(m)))
	AND mapKeys(plain) = arrayMap(j -> concat('p', toString(j)), range(length(m)))
	AND arr = arrayMap(j -> j / 2, range(length(m)))
	AND lows = arrayMap(j -> concat('l', toString(j)), range(length(m)))
	AND arrayMap(x -> x['a'], maps) = arrayMap(j -> toString(j), range(length(m)))
	AND dt = toDateTime64('2023-11-14 22:13:20.123', 3, 'UTC') AND toString(toTimeZone(dt9, 'UTC')) = '2023-11-14 22:13:20.123456789'
)) || ' of ' || toString(count()) FROM `

func seal(t testing.TB, k *kitchenSink) (*nativeblock.Sealed, *nativeblock.Compressor) {
	t.Helper()
	c, err := nativeblock.NewCompressor(nativeblock.LZ4)
	require.NoError(t, err)
	s, err := k.block.Seal(c)
	require.NoError(t, err)
	return s, c
}

func sinkBlock(t testing.TB, from, to int, drop ...string) chconn.Block {
	t.Helper()
	k := newSink()
	for i := from; i < to; i++ {
		k.add(i)
	}
	s, c := seal(t, k)
	return wire(t, s, c, drop...)
}

func wire(t testing.TB, s *nativeblock.Sealed, c *nativeblock.Compressor, drop ...string) chconn.Block {
	t.Helper()
	b, err := s.Wire(c, func(name string) bool { return !slices.Contains(drop, name) })
	require.NoError(t, err)
	for i := range b {
		b[i] = slices.Clone(b[i])
	}
	runtime.KeepAlive(s)
	return b
}

func insert(c *chconn.Conn, sql, token string, blocks ...chconn.Block) (chconn.Summary, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	blocks = slices.Clone(blocks)
	for i := range blocks {
		blocks[i] = slices.Clone(blocks[i])
	}
	return c.Insert(ctx, chconn.Statement{SQL: sql, Settings: []chconn.Setting{
		{Key: "async_insert", Value: "0"}, {Key: "insert_deduplicate", Value: "1"}, {Key: "insert_deduplication_token", Value: token},
	}}, blocks)
}

func TestEveryColumnTypeArrives(t *testing.T) {
	c := dial(t)
	name := table(t, c, sinkColumns)
	_, err := insert(c, "INSERT INTO "+name+" FORMAT Native", "", sinkBlock(t, 0, 1000))
	require.NoError(t, err)
	assert.Equal(t, "1000 of 1000", ask(t, c, sinkCheck+name))
}

func TestSeveralBlocksOfOneInsertAreDeduplicatedTogether(t *testing.T) {
	c := dial(t)
	name := table(t, c, sinkColumns)
	blocks := []chconn.Block{sinkBlock(t, 0, 10), sinkBlock(t, 10, 500), sinkBlock(t, 500, 501)}
	sum, err := insert(c, "INSERT INTO "+name+" FORMAT Native", "token-1", blocks...)
	require.NoError(t, err)
	assert.Zero(t, sum.Duplicates)
	sum, err = insert(c, "INSERT INTO "+name+" FORMAT Native", "token-1", blocks...)
	require.NoError(t, err)
	assert.Positive(t, sum.Duplicates)
	assert.Equal(t, "501 of 501", ask(t, c, sinkCheck+name))
	assert.Equal(t, "1", ask(t, c, "SELECT toString(count()) FROM system.parts WHERE active AND concat(database, '.', table) = '"+name+"'"))
	_, err = insert(c, "INSERT INTO "+name+" FORMAT Native", "token-2", blocks...)
	require.NoError(t, err)
	assert.Equal(t, "1002 of 1002", ask(t, c, sinkCheck+name))
}

func TestSlicesAndFilesHoldTheSameRows(t *testing.T) {
	c := dial(t)
	name := table(t, c, sinkColumns)
	k := newSink()
	for i := range 1000 {
		k.add(i)
	}
	s, comp := seal(t, k)
	s, err := nativeblock.Parse(s.Append(nil))
	require.NoError(t, err)
	for _, r := range [][2]int{{0, 1}, {1, 3}, {3, 990}, {990, 999}} {
		part, err := s.Slice(r[0], r[1], comp)
		require.NoError(t, err)
		_, err = insert(c, "INSERT INTO "+name+" FORMAT Native", "", wire(t, part, comp))
		require.NoError(t, err)
	}
	last, err := s.Slice(999, 1000, comp)
	require.NoError(t, err)
	file, err := last.AppendNative(nil)
	require.NoError(t, err)
	last, err = nativeblock.ParseNative(file, comp)
	require.NoError(t, err)
	_, err = insert(c, "INSERT INTO "+name+" FORMAT Native", "", wire(t, last, comp))
	require.NoError(t, err)
	assert.Equal(t, "1000 of 1000", ask(t, c, sinkCheck+name))
}

func TestServerConvertsTypesAndFillsMissingColumns(t *testing.T) {
	c := dial(t)
	name := table(t, c, "n String, s LowCardinality(String), low String, m Map(String, String), dt DateTime, dt9 DateTime64(3), extra String DEFAULT 'e'")
	_, err := insert(c, "INSERT INTO "+name+" (n, s, low, m, dt, dt9) FORMAT Native", "",
		sinkBlock(t, 0, 100, "plain", "arr", "lows", "maps"))
	require.NoError(t, err)
	assert.Equal(t, "100", ask(t, c, "SELECT toString(countIf(toUInt64(n) % 300 = length(s) AND extra = 'e' AND toUnixTimestamp(dt) = 1700000000 AND dt9 = toDateTime64('2023-11-14 22:13:20.123', 3, 'UTC'))) FROM "+name))
}

func TestServerErrorsCarryTheirCode(t *testing.T) {
	c := dial(t)
	err := c.Exec(t.Context(), chconn.Statement{SQL: "SELECT * FROM no_such_table_here"})
	var server *chconn.Error
	require.ErrorAs(t, err, &server)
	assert.EqualValues(t, 60, server.Code)
}

func TestQueryEndsWithItsContext(t *testing.T) {
	c := dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := c.Exec(ctx, chconn.Statement{SQL: "SELECT sleepEachRow(1) FROM numbers(30) SETTINGS max_block_size = 1 FORMAT Null"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 20*time.Second)
}
