package avikareceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// load is what simulated agents send, as fast as it goes. It runs in a process of its own, so that the CPU time of the benchmark's
// process is the receiver's.
type load struct {
	Address string
	Streams int
	// Messages is the number for each stream.
	Messages int
	// Connects is a number of connections that are all open at the same time, instead of streams. Every other one speaks HTTP/2.
	Connects int
}

const loadVariable = "AVIKA_RECEIVER_TEST_LOAD"

// The test binary is also the program that makes the load.
func init() {
	encoded := os.Getenv(loadVariable)
	if encoded == "" {
		return
	}
	var l load
	if err := json.Unmarshal([]byte(encoded), &l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	run := l.run
	if l.Connects > 0 {
		run = l.connect
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// start runs the load in another process; the returned function waits for its end.
func (l load) start(b testing.TB) (wait func()) {
	encoded, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), loadVariable+"="+string(encoded))
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := command.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// preEncoded is a codec for messages that are bytes already.
type preEncoded struct{}

func (preEncoded) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (preEncoded) Unmarshal(mem.BufferSlice, any) error { return nil }
func (preEncoded) Name() string                         { return "proto" }

func (l load) run() error {
	var wg sync.WaitGroup
	errs := make(chan error, l.Streams)
	for i := range l.Streams {
		wg.Go(func() { errs <- l.stream(i) })
	}
	wg.Wait()
	for range l.Streams {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// connect opens all connections at once, and closes them when all are open.
func (l load) connect() error {
	connections := make([]net.Conn, l.Connects)
	errs := make([]error, l.Connects)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			connections[i], errs[i] = (&net.Dialer{Timeout: 30 * time.Second}).Dial("tcp", l.Address)
			if errs[i] == nil && i%2 == 0 {
				_, errs[i] = connections[i].Write([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
			}
		})
	}
	wg.Wait()
	for _, connection := range connections {
		if connection != nil {
			_ = connection.Close() // the gateway may have been faster
		}
	}
	return errors.Join(errs...)
}

func (l load) stream(i int) error {
	connection, err := grpc.NewClient(l.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(preEncoded{})), grpc.WithSharedWriteBuffer(true))
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := connection.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		agentv1.Commander_Connect_FullMethodName)
	if err != nil {
		return err
	}
	messages := encodedEntries(i)
	for n := range l.Messages {
		if err := stream.SendMsg(messages[n%len(messages)]); err != nil {
			return fmt.Errorf("stream %d, message %d: %w", i, n, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var ignored []byte
	if err := stream.RecvMsg(&ignored); err != io.EOF {
		return err
	}
	return nil
}

// encodedEntries are about 600 bytes each and hold everything that becomes an attribute.
func encodedEntries(stream int) [][]byte {
	id := fmt.Sprintf("web-%02d-10-0-0-%d", stream, stream%250)
	list := make([][]byte, 64)
	for i := range list {
		list[i] = mustMarshal(&agentv1.AgentMessage{AgentId: id, Timestamp: 1767225600 + int64(i), Payload: &agentv1.AgentMessage_LogEntry{LogEntry: benchEntry(i)}})
	}
	return list
}

func benchEntry(i int) *agentv1.LogEntry {
	entry := &agentv1.LogEntry{
		Timestamp: 1767225600 + int64(i), LogType: "access", RemoteAddr: fmt.Sprintf("192.0.2.%d", i), RequestMethod: "GET",
		RequestUri: fmt.Sprintf("/p/%d?r=s", 1000+i), Status: 200, BodyBytesSent: int64(512 + i), RequestTime: 0.123,
		RequestId:    fmt.Sprintf("%032x", 0x1234567890abcdef*uint64(i+1)),
		UpstreamAddr: "10.0.0.1:80", UpstreamStatus: "200", UpstreamConnectTime: 0.001, UpstreamHeaderTime: 0.12,
		UpstreamResponseTime: 0.121, Referer: "https://e.com/", UserAgent: "Mozilla/5.0 (X11) Gecko", XForwardedFor: "198.51.100.7",
	}
	entry.Content = fmt.Sprintf(`{"ts":"2026-01-01T00:00:%02d.%03dZ","req_id":"%s","client":"%s","xff":"%s","method":"GET","path":"%s","status":200,`+
		`"bytes":%d,"sent":%d,"rt":0.123,"uct":"0.001","uht":"0.120","urt":"0.121","upstream":"%s","ustatus":"200","referer":"%s","ua":"%s",`+
		`"host":"e.com","scheme":"https","proto":"HTTP/1.1","cache":"MISS"}`,
		i%60, i, entry.RequestId, entry.RemoteAddr, entry.XForwardedFor, entry.RequestUri, entry.BodyBytesSent, entry.BodyBytesSent+200,
		entry.UpstreamAddr, entry.Referer, entry.UserAgent)
	return entry
}

func mustMarshal(m proto.Message) []byte {
	encoded, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return encoded
}
