package rows

import (
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// appendText appends a value as Value.AsString writes it, without allocating for the common types.
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
	}
	return append(b, v.AsString()...)
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
