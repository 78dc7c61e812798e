package avikareceiver

import (
	"bytes"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// frame is a received message that is still encoded.
type frame struct {
	data mem.BufferSlice
	// shared says that the bytes are in a buffer that goes back to gRPC's pool.
	shared bool
}

// bytes returns the message, which is valid until free.
func (f *frame) bytes() []byte {
	if len(f.data) != 1 {
		f.shared = false
		return f.data.Materialize()
	}
	// gRPC pools large buffers only. A slice buffer is the garbage collector's, and may be kept.
	_, unpooled := f.data[0].(mem.SliceBuffer)
	f.shared = !unpooled
	return f.data[0].ReadOnlyData()
}

// keep returns part of the message in memory that stays valid after free.
func (f *frame) keep(part []byte) []byte {
	if f.shared {
		return bytes.Clone(part)
	}
	return part
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
