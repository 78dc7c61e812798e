package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/gatewaytest"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

var who = Identity{AgentID: "web-01-10-0-2-15", Hostname: "web-01"}

func both(t *testing.T, test func(t *testing.T, transport Transport)) {
	for _, transport := range []Transport{Wire, Library} {
		t.Run(string(transport), func(t *testing.T) { test(t, transport) })
	}
}

func ignore(*agentv1.ServerCommand) {}

func encoded(t *testing.T, content string) []byte {
	t.Helper()
	b, err := proto.Marshal(&agentv1.AgentMessage{AgentId: who.AgentID, Payload: &agentv1.AgentMessage_LogEntry{
		LogEntry: &agentv1.LogEntry{Content: content},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t *testing.T, d Dialer, onCommand func(*agentv1.ServerCommand)) Stream {
	t.Helper()
	s, err := d.Open(t.Context(), who, onCommand)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// finish half-closes and waits for the gateway's status.
func finish(t *testing.T, s Stream) {
	t.Helper()
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the gateway did not end the stream")
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
}

// TestMessagesOfAllSizesArrive goes around the sizes at which frames and windows end.
func TestMessagesOfAllSizesArrive(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		g := new(gatewaytest.Gateway).Start(t, "", nil)
		s := open(t, Dialer{Target: g.Addr, Transport: transport}, ignore)
		sizes := []int{0, 1, 600, MaxExtend - 40, MaxExtend - 30, MaxExtend, 16384, 16385, 65535, 65536, 200000, 3 << 20}
		var b Batch
		for i, n := range sizes {
			b.Append(encoded(t, strings.Repeat(string(rune('a'+i)), n)))
		}
		if n, err := s.Send(t.Context(), &b); n != len(sizes) || err != nil {
			t.Fatal(n, err)
		}
		finish(t, s)
		got := g.Messages()
		if len(got) != len(sizes) {
			t.Fatalf("%d messages", len(got))
		}
		for i, n := range sizes {
			if want := strings.Repeat(string(rune('a'+i)), n); got[i].GetLogEntry().Content != want {
				t.Errorf("message of %d bytes arrived with %d", n, len(got[i].GetLogEntry().Content))
			}
		}
	})
}

func TestCommandsArrive(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		g := new(gatewaytest.Gateway).Start(t, "", nil)
		commands := make(chan *agentv1.ServerCommand, 2)
		s := open(t, Dialer{Target: g.Addr, Transport: transport}, func(c *agentv1.ServerCommand) { commands <- c })
		var b Batch
		b.Append(encoded(t, "x"))
		if _, err := s.Send(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return len(g.Messages()) == 1 })
		small := &agentv1.ServerCommand{CommandId: "1", Payload: &agentv1.ServerCommand_Update{Update: &agentv1.Update{Version: "2"}}}
		large := &agentv1.ServerCommand{CommandId: "2", Payload: &agentv1.ServerCommand_ConfigPush{
			ConfigPush: &agentv1.ConfigPush{Files: map[string][]byte{"nginx.conf": make([]byte, 1<<20)}},
		}}
		for _, want := range []*agentv1.ServerCommand{small, large, small} {
			g.Send(t, want)
			if got := <-commands; !proto.Equal(got, want) {
				t.Errorf("got %s", got.CommandId)
			}
		}
		finish(t, s)
	})
}

func TestPSKMetadata(t *testing.T) {
	key, err := ParseKey(testKey + "\n")
	if err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, transport Transport) {
		g := new(gatewaytest.Gateway).Start(t, "", nil)
		finish(t, open(t, Dialer{Target: g.Addr, Transport: transport, Key: key}, ignore))
		md := g.Headers()[0]
		at := md.Get("x-avika-timestamp")[0]
		if when, err := time.Parse(time.RFC3339, at); err != nil || !strings.HasSuffix(at, "Z") || time.Since(when) > time.Minute {
			t.Errorf("time %q", at)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("web-01-10-0-2-15:web-01:" + at))
		want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if md.Get("x-avika-signature")[0] != want || md.Get("x-avika-agent-id")[0] != who.AgentID || md.Get("x-avika-hostname")[0] != who.Hostname {
			t.Errorf("metadata %v", md)
		}
	})
}

func TestKeys(t *testing.T) {
	if key, err := ParseKey(" "); key != nil || err != nil {
		t.Error(key, err)
	}
	for _, wrong := range []string{"secret", testKey[:62], testKey + "00", strings.Replace(testKey, "0f", "xx", 1)} {
		if _, err := ParseKey(wrong); err == nil || strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: error %v", wrong, err)
		}
	}
}

func TestRefusalKeepsItsStatus(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		refuse := func(metadata.MD) error { return status.Error(codes.PermissionDenied, "agent web-01 is revoked: ä %") }
		g := (&gatewaytest.Gateway{Refuse: refuse}).Start(t, "", nil)
		s := open(t, Dialer{Target: g.Addr, Transport: transport}, ignore)
		<-s.Done()
		if st := status.Convert(s.Err()); st.Code() != codes.PermissionDenied || st.Message() != "agent web-01 is revoked: ä %" {
			t.Errorf("status %v", st)
		}
		var b Batch
		b.Append(encoded(t, "x"))
		if n, err := s.Send(t.Context(), &b); n != 0 || err == nil {
			t.Errorf("sent %d, error %v", n, err)
		}
	})
}

func TestLostConnectionEndsTheStream(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		g := new(gatewaytest.Gateway).Start(t, "", nil)
		s := open(t, Dialer{Target: g.Addr, Transport: transport}, ignore)
		waitFor(t, func() bool { return g.Streams.Load() == 1 })
		g.Stop()
		<-s.Done()
		if status.Code(s.Err()) != codes.Unavailable {
			t.Errorf("error %v", s.Err())
		}
	})
}

func TestFlowControlBlocksUntilContextEnds(t *testing.T) {
	g := (&gatewaytest.Gateway{Hold: make(chan struct{})}).Start(t, "", nil)
	s := open(t, Dialer{Target: g.Addr, Transport: Wire}, ignore)
	var b Batch
	for range 200 {
		b.Append(encoded(t, strings.Repeat("x", 1000)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	n, err := s.Send(ctx, &b)
	if n == 0 || n == 200 || !errors.Is(err, context.DeadlineExceeded) || s.Stalled() < 200*time.Millisecond {
		t.Errorf("sent %d, error %v, stalled %v", n, err, s.Stalled())
	}
}

func TestNothingListens(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lis.Close()
	both(t, func(t *testing.T, transport Transport) {
		d := Dialer{Target: lis.Addr().String(), Transport: transport}
		if _, err := d.Open(t.Context(), who, ignore); err == nil || !strings.Contains(err.Error(), lis.Addr().String()) {
			t.Errorf("error %v", err)
		}
	})
}

// TestNotAGateway dials a server that speaks something else.
func TestNotAGateway(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	go func() {
		if conn, err := lis.Accept(); err == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			conn.Close()
		}
	}()
	d := Dialer{Target: lis.Addr().String(), Transport: Wire}
	if _, err := d.Open(t.Context(), who, ignore); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v", err)
	}
}

func TestMutualTLS(t *testing.T) {
	files := writeCertificate(t)
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, transport Transport) {
		g := new(gatewaytest.Gateway).Start(t, "", &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: client.RootCAs, ClientAuth: tls.RequireAndVerifyClientCert,
		})
		finish(t, open(t, Dialer{Target: g.Addr, Transport: transport, TLS: client}, ignore))
		if g.Streams.Load() != 1 {
			t.Error("no stream")
		}
	})
}

func TestTLSFilesThatCannotWork(t *testing.T) {
	files := writeCertificate(t)
	for _, f := range []TLSFiles{{CA: "absent"}, {CA: files.Key}, {Cert: files.Cert}, {Key: files.Key}, {Cert: files.Key, Key: files.Key}} {
		if _, err := f.Config(); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
}

// writeCertificate makes one that is its own CA, and serves both sides.
func writeCertificate(t *testing.T) TLSFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	f.CA = f.Cert
	for path, block := range map[string]*pem.Block{
		f.Cert: {Type: "CERTIFICATE", Bytes: cert}, f.Key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing happened within 30 s")
		}
	}
}
