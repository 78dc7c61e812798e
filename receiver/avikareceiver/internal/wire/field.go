package wire

import "google.golang.org/protobuf/encoding/protowire"

// field is a field of a message, for messages that come less often than log entries.
type field struct {
	num protowire.Number
	typ protowire.Type
	// number is the content of a varint and of a field of fixed size, bytes that of all others but groups.
	number uint64
	bytes  []byte
}

// next reads the field that b begins with, and returns what follows it.
func (f *field) next(b []byte) (rest []byte, err error) {
	num, typ, n := consumeTag(b)
	if n <= 0 {
		return nil, ErrMalformed
	}
	*f, b = field{num: num, typ: typ}, b[n:]
	switch typ {
	case protowire.VarintType:
		f.number, n = consumeVarint(b)
	case protowire.BytesType:
		f.bytes, n = consumeBytes(b)
	case protowire.Fixed32Type:
		var number uint32
		number, n = protowire.ConsumeFixed32(b)
		f.number = uint64(number)
	case protowire.Fixed64Type:
		f.number, n = protowire.ConsumeFixed64(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n <= 0 {
		return nil, ErrMalformed
	}
	return b[n:], nil
}
