package otlpload

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// Codec passes messages on as the bytes that they are.
type Codec struct{}

// Name makes the peer take the bytes for protobuf.
func (Codec) Name() string { return "proto" }

// Marshal takes []byte.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("cannot send %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal fills *[]byte; *Size only takes note of the size.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = data.Materialize()
	case *Size:
		*v = Size(data.Len())
	default:
		return fmt.Errorf("cannot receive %T", v)
	}
	return nil
}

// Size is what a receiver takes of a message that it does not want to look at.
type Size int
