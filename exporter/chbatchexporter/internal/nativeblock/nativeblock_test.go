package nativeblock

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample is a block with a column of each kind, and n rows.
func sample(n int) *Block { return pressedSample(n, nil) }

// pressedSample is the same, pressed after each row.
func pressedSample(n int, p *Compressor) *Block {
	num, str, low, m, arr := NewFixed(8), NewString(), NewLowCardinality(), NewMap(), NewArray(NewString())
	b := &Block{Rows: n, Fields: []Field{
		{"num", "UInt64", num},
		{"str", "String", str},
		{"low", "LowCardinality(String)", low},
		{"m", "Map(LowCardinality(String), String)", m},
		{"arr", "Array(String)", arr},
	}}
	for i := range n {
		num.Append64(uint64(i))
		str.AppendFunc(func(b []byte) []byte { return append(b, bytes.Repeat([]byte{'x'}, i%400)...) })
		low.Append(fmt.Sprint(i % 300))
		if i%2 == 0 {
			m.Key("k")
			m.Values().Append(fmt.Sprint(i))
			arr.Values.AppendHex([]byte{byte(i)})
		}
		m.End()
		arr.End()
		if p != nil {
			b.Press(p)
		}
	}
	return b
}

func compressor(t testing.TB, method string) *Compressor {
	t.Helper()
	c, err := NewCompressor(method)
	require.NoError(t, err)
	return c
}

// TestColumnsAreWhatClickHouseReads decodes with ch-go, an implementation of its own.
func TestColumnsAreWhatClickHouseReads(t *testing.T) {
	const n = 1000
	b := sample(n)
	for _, method := range []string{LZ4, ZSTD, None} {
		s, err := b.Seal(compressor(t, method))
		require.NoError(t, err)
		buffers, err := s.Wire(compressor(t, None), func(string) bool { return true })
		require.NoError(t, err)
		wire := bytes.Join(buffers, nil)
		runtime.KeepAlive(s)
		var num proto.ColUInt64
		var str proto.ColStr
		low := proto.NewLowCardinality[string](new(proto.ColStr))
		m := proto.NewMap(proto.NewLowCardinality[string](new(proto.ColStr)), proto.ColumnOf[string](new(proto.ColStr)))
		arr := proto.NewArray[string](new(proto.ColStr))
		r := proto.NewReader(bytes.NewReader(wire))
		r.EnableCompression()
		var block proto.Block
		require.NoError(t, block.DecodeBlock(r, 54460, proto.Results{
			{Name: "num", Data: &num}, {Name: "str", Data: &str}, {Name: "low", Data: low}, {Name: "m", Data: m}, {Name: "arr", Data: arr},
		}))
		for i := range n {
			require.EqualValues(t, i, num[i])
			require.Len(t, str.Row(i), i%400)
			require.Equal(t, fmt.Sprint(i%300), low.Row(i))
			wantMap, wantArr := map[string]string{}, []string(nil)
			if i%2 == 0 {
				wantMap["k"] = fmt.Sprint(i)
				wantArr = []string{fmt.Sprintf("%02x", byte(i))}
			}
			require.Equal(t, wantMap, m.Row(i))
			require.Equal(t, wantArr, arr.Row(i))
		}
	}
}

// TestPressedColumnsHoldTheSame in less memory: frames end elsewhere, what they hold does not change.
func TestPressedColumnsHoldTheSame(t *testing.T) {
	const n = 40_000
	for _, method := range []string{LZ4, ZSTD, None} {
		c := compressor(t, method)
		pressed, plain := pressedSample(n, c), sample(n)
		require.Equal(t, plain.Size(), pressed.Size())
		if method != None {
			assert.Less(t, pressed.Held(), plain.Held()/4)
		}
		want, got := native(t, plain, c), native(t, pressed, c)
		require.True(t, bytes.Equal(want, got), method)
		pressed.Reset()
		assert.Zero(t, pressed.Held())
	}
}

func native(t *testing.T, b *Block, c *Compressor) []byte {
	t.Helper()
	s, err := b.Seal(c)
	require.NoError(t, err)
	require.Equal(t, b.Rows, s.Rows)
	out, err := s.AppendNative(nil)
	require.NoError(t, err)
	return out
}

// TestAPressedMapRepeatsItsLastRow: it is the one that is not pressed.
func TestAPressedMapRepeatsItsLastRow(t *testing.T) {
	long := strings.Repeat("x", pressSize)
	for name, newMap := range map[string]func() *Map{"low": NewMap, "plain": NewPlainMap} {
		t.Run(name, func(t *testing.T) {
			c, m := compressor(t, None), newMap()
			for _, v := range []string{long, "a", long + "b"} {
				m.Key(v)
				m.Values().Append(v)
				m.End()
				m.RepeatLast()
				m.press(c)
				m.RepeatLast()
			}
			want := newMap()
			for _, v := range []string{long, "a", long + "b"} {
				for range 3 {
					want.Key(v)
					want.Values().Append(v)
					want.End()
				}
			}
			typ := map[string]string{"low": "Map(LowCardinality(String), String)", "plain": "Map(String, String)"}[name]
			assert.Equal(t, native(t, &Block{Rows: 9, Fields: []Field{{"m", typ, want}}}, c), native(t, &Block{Rows: 9, Fields: []Field{{"m", typ, m}}}, c))
		})
	}
}

func TestRepeatLastCopiesTheRow(t *testing.T) {
	for name, m := range map[string]*Map{"low": NewMap(), "plain": NewPlainMap()} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []string{"a", "b"} {
				m.Key(k)
				m.Values().Append(k + k)
			}
			m.End()
			m.RepeatLast()
			m.End() // empty
			m.RepeatLast()
			m.Key("c")
			m.Values().Append("cc")
			m.End()
			m.RepeatLast()
			assert.Equal(t, 6, m.Rows())
			assert.Equal(t, 6, m.values.Rows())
			assert.Equal(t, []byte("\x02aa\x02bb\x02aa\x02bb\x02cc\x02cc"), m.values.buf)
			assert.Equal(t, 6, m.keys().Rows())
		})
	}
}

func TestResetForgetsRows(t *testing.T) {
	b := sample(10)
	b.Reset()
	assert.Zero(t, b.Rows)
	for _, f := range b.Fields {
		assert.Zero(t, f.Column.Rows(), f.Name)
		assert.Zero(t, f.Column.Size(), f.Name)
	}
}

func TestALowCardinalityKeepsNoMemoryOfTheCaller(t *testing.T) {
	buf := []byte("abc")
	low := NewLowCardinality()
	low.Append(unsafe.String(&buf[0], len(buf)))
	buf[0] = 'x'
	low.Append("abc")
	assert.Equal(t, []uint32{0, 0}, low.index)
}

// TestStoredIsWhatAppendWrites, whether there is room in front of the frames, or not, or none in memory of their own.
func TestStoredIsWhatAppendWrites(t *testing.T) {
	for _, rows := range []int{5, 200_000} {
		s, err := sample(rows).Seal(compressor(t, None))
		require.NoError(t, err)
		for _, head := range []string{"", "head", strings.Repeat("x", storedHead)} {
			require.True(t, bytes.Equal(s.Append([]byte(head)), s.Stored([]byte(head))), "%d rows, head of %d bytes", rows, len(head))
		}
		parsed, err := Parse(s.Append(nil))
		require.NoError(t, err)
		require.True(t, bytes.Equal(s.Append(nil), parsed.Stored(nil)))
	}
}

func TestParseRefusesDamage(t *testing.T) {
	s, err := sample(50).Seal(compressor(t, LZ4))
	require.NoError(t, err)
	good := s.Append(nil)
	_, err = Parse(good)
	require.NoError(t, err)
	for cut := range len(good) {
		_, err := Parse(good[:cut])
		require.Error(t, err, "cut at %d", cut)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-3] ^= 1
	p, err := Parse(flipped)
	require.NoError(t, err)
	_, err = p.AppendNative(nil)
	require.Error(t, err, "the checksum")
}

func FuzzParseNative(f *testing.F) {
	s, err := sample(5).Seal(compressor(f, LZ4))
	require.NoError(f, err)
	file, err := s.AppendNative(nil)
	require.NoError(f, err)
	f.Add(file)
	c := compressor(f, None)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseNative(b, c)
		if err != nil || s.Rows == 0 {
			return
		}
		again, err := s.AppendNative(nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Rows > 1 {
			if _, err := s.Slice(0, 1, c); err != nil {
				t.Fatal(err)
			}
		}
		_ = again
	})
}

// BenchmarkSeal measures encoding to frames per row.
func BenchmarkSeal(b *testing.B) {
	block := sample(10_000)
	for _, method := range []string{LZ4, ZSTD, None} {
		b.Run(method, func(b *testing.B) {
			c := compressor(b, method)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := block.Seal(c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(block.Rows), "ns/row")
		})
	}
}
