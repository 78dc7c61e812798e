package receiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// field is an encoded field of a protobuf message; a message is its fields one after the other.
type field = []byte

func message(fields ...field) []byte {
	var m []byte
	for _, f := range fields {
		m = append(m, f...)
	}
	return m
}

func number(n int, value int64) field {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n)<<3), uint64(value))
}

func text(n int, value string) field {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n)<<3|2), uint64(len(value))), value...)
}

func nested(n int, fields ...field) field { return text(n, string(message(fields...))) }

func float(n int, value float32) field {
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(nil, uint64(n)<<3|5), math.Float32bits(value))
}

func double(n int, value float64) field {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(nil, uint64(n)<<3|1), math.Float64bits(value))
}

// fields decodes a message: numbers as int64, bytes as string.
func fields(t testing.TB, m []byte) map[int]any {
	t.Helper()
	found := map[int]any{}
	for len(m) > 0 {
		tag, n := binary.Uvarint(m)
		require.Positive(t, n)
		m = m[n:]
		value, n := binary.Uvarint(m)
		require.Positive(t, n)
		m = m[n:]
		switch tag & 7 {
		case 0:
			found[int(tag>>3)] = int64(value)
		case 2:
			require.LessOrEqual(t, value, uint64(len(m)))
			found[int(tag>>3)] = string(m[:value])
			m = m[value:]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
	}
	return found
}

// agent is a stream to the gateway.
type agent struct {
	t      testing.TB
	id     string
	out    *io.PipeWriter
	answer chan *http.Response
	body   io.ReadCloser
	close  func()
}

// sign returns the headers of an agent that knows a key; an empty key sends none.
func sign(key, id, hostname string) http.Header {
	header := http.Header{}
	if key == "" {
		return header
	}
	secret, err := hex.DecodeString(key)
	if err != nil {
		panic(err)
	}
	stamp := time.Now().UTC().Format(time.RFC3339)
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s:%s:%s", id, hostname, stamp)
	header.Set("x-avika-agent-id", id)
	header.Set("x-avika-hostname", hostname)
	header.Set("x-avika-timestamp", stamp)
	header.Set("x-avika-signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return header
}

// connect opens a stream.
func connect(t testing.TB, address, id string, header http.Header) *agent {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	in, out := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/nginx.agent.v1.Commander/Connect", in)
	require.NoError(t, err)
	request.Header = header
	request.Header.Set("content-type", "application/grpc")
	request.Header.Set("te", "trailers")
	a := &agent{t: t, id: id, out: out, answer: make(chan *http.Response, 1)}
	a.close = func() { cancel(); _ = out.Close(); transport.CloseIdleConnections() }
	t.Cleanup(a.close)
	go func() {
		response, err := transport.RoundTrip(request)
		if err == nil {
			a.answer <- response
		}
		close(a.answer)
	}()
	return a
}

// send puts a payload into an AgentMessage of its own.
func (a *agent) send(payload field) {
	a.t.Helper()
	encoded := message(text(1, a.id), number(2, time.Now().Unix()), payload)
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(encoded))), encoded...)
	_, err := a.out.Write(frame)
	require.NoError(a.t, err)
}

// response waits for the gateway's headers, which come with its first message or with the end.
func (a *agent) response() *http.Response {
	a.t.Helper()
	select {
	case response, ok := <-a.answer:
		require.True(a.t, ok, "the gateway did not answer")
		return response
	case <-time.After(30 * time.Second):
		a.t.Fatal("the gateway did not answer in time")
		return nil
	}
}

// command receives a ServerCommand.
func (a *agent) command() map[int]any {
	a.t.Helper()
	if a.body == nil {
		response := a.response()
		require.Equal(a.t, http.StatusOK, response.StatusCode)
		a.body = response.Body
	}
	var head [5]byte
	_, err := io.ReadFull(a.body, head[:])
	require.NoError(a.t, err)
	require.Zero(a.t, head[0], "not compressed")
	encoded := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(a.body, encoded)
	require.NoError(a.t, err)
	return fields(a.t, encoded)
}

// status waits for the end of the stream and returns gRPC's status.
func (a *agent) status() (code, text string) {
	a.t.Helper()
	response := a.response()
	_, err := io.Copy(io.Discard, response.Body)
	require.NoError(a.t, err)
	from := response.Trailer
	if from.Get("grpc-status") == "" {
		from = response.Header
	}
	decoded, err := url.PathUnescape(from.Get("grpc-message"))
	require.NoError(a.t, err)
	return from.Get("grpc-status"), decoded
}
