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

// fields reads the fields of a message, one after the other.
type fields struct {
	field
	rest []byte
	err  error
}

// next reads the next field. It reports false at the end of the message, and when err says what is wrong with it.
func (r *fields) next() bool {
	if len(r.rest) == 0 || r.err != nil {
		return false
	}
	r.rest, r.err = r.read(r.rest)
	return r.err == nil
}

// read reads the field that b begins with, and returns what follows it.
func (f *field) read(b []byte) (rest []byte, err error) {
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
