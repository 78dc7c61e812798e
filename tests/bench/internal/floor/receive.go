// Package floor is what rows cost at the very least: receiving them and doing nothing, and inserting blocks that are
// encoded already.
package floor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"

	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
)

// ReceiveCommand is the command of this program that receives and does nothing; its argument is where it listens.
const ReceiveCommand = "receive-floor"

// RunReceiveCommand serves the Avika protocol and OTLP's logs with grpc-go until ctx ends. Messages are taken off the wire
// and not looked into.
func RunReceiveCommand(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want an address to listen on")
	}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", args[0])
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(otlpload.Codec{}), grpc.InitialWindowSize(256<<10),
		grpc.UnknownServiceHandler(receive))
	defer context.AfterFunc(ctx, server.GracefulStop)()
	if err := server.Serve(l); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return json.NewEncoder(os.Stdout).Encode("done")
}

// receive takes every message of a stream of any method, and answers an OTLP request, which is one message.
func receive(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	for {
		var size otlpload.Size
		err := stream.RecvMsg(&size)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if method == otlpload.ExportMethod {
			return stream.SendMsg([]byte{})
		}
	}
}
