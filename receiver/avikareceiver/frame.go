package avikareceiver

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// frame is a received message that is still encoded.
type frame struct {
	data mem.BufferSlice
}

// bytes returns the message, which is valid until free.
func (f *frame) bytes() []byte {
	if len(f.data) != 1 {
		return f.data.Materialize()
	}
	return f.data[0].ReadOnlyData()
}

func (f *frame) free() {
	f.data.Free()
	f.data = nil
}

// codec leaves frames encoded and gives everything else to the generated code.
type codec struct {
	encoding.CodecV2
}

// Unmarshal keeps the received buffer when it is asked for a frame.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		data.Ref()
		f.data = data
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
