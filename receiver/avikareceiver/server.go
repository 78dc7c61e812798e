package avikareceiver

import (
	"bytes"
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func (r *avikaReceiver) newServer(ctx context.Context, host component.Host) (*grpc.Server, error) {
	window := int32(r.config.Limits.StreamWindow)
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}),
		grpc.ChainStreamInterceptor(r.authenticateStream),
		grpc.ChainUnaryInterceptor(r.authenticateCall),
		// A fixed window bounds what an agent can make the gateway hold, and saves the pings that estimate a better one.
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.SharedWriteBuffer(true),
		grpc.WaitForHandlers(true),
	}
	wrapped := make([]configgrpc.ToServerOption, len(options))
	for i, option := range options {
		wrapped[i] = configgrpc.WithGrpcServerOption(option)
	}
	server, err := r.config.ToServer(ctx, host.GetExtensions(), r.settings.TelemetrySettings, wrapped...)
	if err != nil {
		return nil, err
	}
	agentv1.RegisterCommanderServer(server, &commander{receiver: r})
	if r.registry != nil {
		r.registry.RegisterServices(server)
	}
	return server, nil
}

type commander struct {
	agentv1.UnimplementedCommanderServer
	receiver *avikaReceiver
}

// Connect serves the stream of an agent.
func (c *commander) Connect(connection agentv1.Commander_ConnectServer) error {
	return c.receiver.connect(connection)
}

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
