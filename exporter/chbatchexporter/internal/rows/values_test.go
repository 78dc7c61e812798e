package rows

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestTextIsWhatAsStringWrites(t *testing.T) {
	values := []any{
		nil, "", "a\x00\xff<&>\"\\é", int64(-7), int64(math.MinInt64), true, false, 0.0, math.Copysign(0, -1), 1.0, 0.1, 1e20, 1e21, 1e-6, 9e-7, 1e-10, -1.5e300,
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1), math.Inf(-1),
		[]byte{0, 255},
		[]any{},
		[]any{"plain", int64(1), 2.5, 1e-9, true},
		[]any{"<"},
		[]any{"é"},
		[]any{"\\"},
		[]any{nil},
		[]any{math.NaN()},
		[]any{[]any{"x"}},
		[]any{map[string]any{"k": "v"}},
		map[string]any{"b": int64(1), "a": []any{"x"}},
		map[string]any{},
	}
	for _, raw := range values {
		v := pcommon.NewValueEmpty()
		assert.NoError(t, v.FromRaw(raw))
		assert.Equal(t, v.AsString(), string(appendText(nil, v)), "%v", raw)
		assert.Equal(t, "x"+v.AsString(), string(appendText([]byte("x"), v)), "%v", raw)
	}
}

func TestTextOfCommonValuesDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 100)
	for _, raw := range []any{"text", int64(12), 1.5, true, []any{"10.0.0.1:80", int64(200), 0.25}} {
		v := pcommon.NewValueEmpty()
		assert.NoError(t, v.FromRaw(raw))
		assert.Zero(t, testing.AllocsPerRun(100, func() { buf = appendText(buf[:0], v) }), "%v", raw)
	}
}

func FuzzAppendFloat(f *testing.F) {
	f.Add(1.5)
	f.Fuzz(func(t *testing.T, x float64) {
		if v := pcommon.NewValueDouble(x); v.AsString() != string(appendText(nil, v)) {
			t.Errorf("%s is not %s", appendText(nil, v), v.AsString())
		}
	})
}
