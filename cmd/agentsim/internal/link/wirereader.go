package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// maxCommand bounds a command's size.
const maxCommand = 64 << 20

// wireReader reads what the gateway sends: settings, windows, pings, commands and the final status.
type wireReader struct {
	s         *wireStream
	framer    *http2.Framer
	onCommand func(*agentv1.ServerCommand)
	partial   []byte // of a gRPC message
	served    bool
}

func newWireReader(s *wireStream, onCommand func(*agentv1.ServerCommand)) *wireReader {
	fr := http2.NewFramer(s, bufio.NewReaderSize(s.conn, 1024))
	fr.SetReuseFrames()
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return &wireReader{s: s, framer: fr, onCommand: onCommand}
}

// errFinished ends the loop after status OK.
var errFinished = errors.New("finished")

func (r *wireReader) run() error {
	for {
		f, err := r.framer.ReadFrame()
		if err != nil {
			return status.Errorf(codes.Unavailable, "connection lost: %v", err)
		}
		if err := r.handle(f); err != nil {
			if errors.Is(err, errFinished) {
				return nil
			}
			return err
		}
	}
}

func (r *wireReader) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.WindowUpdateFrame:
		r.windowUpdate(f)
	case *http2.SettingsFrame:
		return r.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			return r.framer.WritePing(true, f.Data)
		}
	case *http2.DataFrame:
		return r.data(f)
	case *http2.MetaHeadersFrame:
		return r.headers(f)
	case *http2.RSTStreamFrame:
		return status.Errorf(codes.Unavailable, "the gateway reset the stream: %v", f.ErrCode)
	case *http2.GoAwayFrame: // the stream may still finish; a stream beyond the last id was never taken
		if f.LastStreamID < streamID || f.ErrCode != http2.ErrCodeNo {
			return status.Errorf(codes.Unavailable, "the gateway went away: %v %s", f.ErrCode, f.DebugData())
		}
	}
	return nil
}

func (r *wireReader) windowUpdate(f *http2.WindowUpdateFrame) {
	if f.StreamID == 0 {
		r.s.grow(int64(f.Increment), 0)
		return
	}
	r.s.grow(0, int64(f.Increment))
}

func (r *wireReader) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
		r.s.grow(0, int64(v)-r.s.initial)
		r.s.initial = int64(v)
	}
	if !r.served {
		r.served = true
		close(r.s.served)
	}
	return r.framer.WriteSettingsAck()
}

// data collects commands and gives the window back at once.
func (r *wireReader) data(f *http2.DataFrame) error {
	r.partial = append(r.partial, f.Data()...)
	for len(r.partial) >= messagePrefix {
		n := int(binary.BigEndian.Uint32(r.partial[1:messagePrefix]))
		if n > maxCommand {
			return status.Errorf(codes.ResourceExhausted, "a command of %d bytes", n)
		}
		if len(r.partial) < messagePrefix+n {
			break
		}
		if err := r.command(r.partial[messagePrefix : messagePrefix+n]); err != nil {
			return err
		}
		r.partial = r.partial[messagePrefix+n:]
	}
	return r.giveBack(f.Header().Length)
}

func (r *wireReader) command(b []byte) error {
	cmd := new(agentv1.ServerCommand)
	if err := proto.Unmarshal(b, cmd); err != nil {
		return status.Errorf(codes.Internal, "decode command: %v", err)
	}
	r.onCommand(cmd)
	return nil
}

func (r *wireReader) giveBack(n uint32) error {
	if n == 0 {
		return nil
	}
	if err := r.framer.WriteWindowUpdate(0, n); err != nil {
		return err
	}
	return r.framer.WriteWindowUpdate(streamID, n)
}

// headers reads the status of the whole stream from its trailers, or from headers that are also trailers.
func (r *wireReader) headers(f *http2.MetaHeadersFrame) error {
	if !f.StreamEnded() {
		return nil
	}
	code, text := codes.Unknown, "the gateway sent no gRPC status"
	for _, h := range f.Fields {
		switch h.Name {
		case ":status":
			text = fmt.Sprintf("HTTP status %s instead of a gRPC answer", h.Value)
		case "grpc-status":
			n, err := strconv.Atoi(h.Value)
			if err != nil {
				return status.Errorf(codes.Internal, "grpc-status %q", h.Value)
			}
			code = codes.Code(n)
		}
	}
	if code == codes.OK {
		return errFinished
	}
	return status.Error(code, message(f, text))
}

func message(f *http2.MetaHeadersFrame, fallback string) string {
	for _, h := range f.Fields {
		if h.Name == "grpc-message" {
			if text, err := url.PathUnescape(h.Value); err == nil {
				return text
			}
			return h.Value
		}
	}
	return fallback
}

var _ io.Writer = (*wireStream)(nil)
