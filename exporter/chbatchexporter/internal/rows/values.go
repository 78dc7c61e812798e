package rows

import (
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// appendText appends a value as Value.AsString writes it, without allocating for all but rare values.
func appendText(b []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return b
	case pcommon.ValueTypeStr:
		return append(b, v.Str()...)
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(b, v.Bool())
	case pcommon.ValueTypeDouble:
		if f := v.Double(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return appendFloat(b, f)
		}
	case pcommon.ValueTypeSlice:
		if out, ok := appendSlice(b, v.Slice()); ok {
			return out
		}
	}
	return append(b, v.AsString()...)
}

// appendSlice writes a slice of plain values as encoding/json does; false when there are others in it.
func appendSlice(b []byte, s pcommon.Slice) ([]byte, bool) {
	start := len(b)
	b = append(b, '[')
	for i := range s.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		v := s.At(i)
		switch {
		case v.Type() == pcommon.ValueTypeStr && plainJSON(v.Str()):
			b = append(append(append(b, '"'), v.Str()...), '"')
		case v.Type() == pcommon.ValueTypeInt:
			b = strconv.AppendInt(b, v.Int(), 10)
		case v.Type() == pcommon.ValueTypeBool:
			b = strconv.AppendBool(b, v.Bool())
		case v.Type() == pcommon.ValueTypeDouble && math.Abs(v.Double()) <= math.MaxFloat64:
			b = appendFloat(b, v.Double())
		default:
			return b[:start], false
		}
	}
	return append(b, ']'), true
}

// plainJSON tells whether encoding/json writes a string as it is.
func plainJSON(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// appendFloat writes a number as encoding/json does.
func appendFloat(b []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09 is e-9
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// appendValue appends a value to a String column.
func appendValue(c *nativeblock.String, scratch *[]byte, v pcommon.Value) {
	if v.Type() == pcommon.ValueTypeStr {
		c.Append(v.Str())
		return
	}
	*scratch = appendText((*scratch)[:0], v)
	c.AppendBytes(*scratch)
}

// text is a value as a string.
func text(v pcommon.Value) string {
	if v.Type() == pcommon.ValueTypeStr {
		return v.Str()
	}
	return v.AsString()
}

// integer reads a number, also one that was sent as a string.
func integer(v pcommon.Value) int64 {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return v.Int()
	case pcommon.ValueTypeDouble:
		return int64(v.Double())
	case pcommon.ValueTypeStr:
		n, err := strconv.ParseInt(v.Str(), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}

// float reads a number, also one that was sent as a string.
func float(v pcommon.Value) float64 {
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		return v.Double()
	case pcommon.ValueTypeInt:
		return float64(v.Int())
	case pcommon.ValueTypeStr:
		f, err := strconv.ParseFloat(v.Str(), 64)
		if err != nil {
			return 0
		}
		return f
	}
	return 0
}

// The range that DateTime64 can hold with nanoseconds, and DateTime with seconds.
const (
	maxNanos   = math.MaxInt64
	nanosPerMs = uint64(time.Millisecond)
)

// nanos is a timestamp for DateTime64(9).
func nanos(t pcommon.Timestamp) uint64 { return min(uint64(t), maxNanos) }

// millis is a timestamp for DateTime64(3).
func millis(t pcommon.Timestamp) uint64 { return nanos(t) / nanosPerMs }

// clamp brings a number into an unsigned type.
func clamp(v int64, limit uint64) uint64 {
	if v < 0 {
		return 0
	}
	return min(uint64(v), limit)
}
