package chbatchexporter

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

// absent is an address where nobody listens.
func absent(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestAnEndpointThatWorksTakesTheRows of one that does not.
func TestAnEndpointThatWorksTakesTheRows(t *testing.T) {
	for _, routing := range []string{routingFailover, routingRoundRobin} {
		t.Run(routing, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Routing = routing
			cfg.Endpoints = []string{absent(t), cfg.Endpoints[0]}
			e := startLogs(t, cfg, settings(), nopHost())
			send(t, e, 0, 10)
			eventually(t, "10", countAccess(cfg))
		})
	}
}

// firstDown is an inserter for endpoints of which the first one is down.
func firstDown(addrs ...string) *inserter {
	in := &inserter{}
	for _, addr := range addrs {
		in.endpoints = append(in.endpoints, newEndpoint(chconn.NewPool(chconn.Options{Addr: addr}, nil), nil, false, settings().Logger))
	}
	in.endpoints[0].markDown()
	return in
}

// TestOrderOfEndpoints: the first one that is not down, or each in turn.
func TestOrderOfEndpoints(t *testing.T) {
	for routing, want := range map[string][]string{routingFailover: {"b", "b", "b"}, routingRoundRobin: {"b", "c", "b"}} {
		in := firstDown("a", "b", "c")
		in.routing = routing
		for i, addr := range want {
			require.Equal(t, addr, in.choose(blockqueue.Request{}).pool.Addr(), "%s, insert %d", routing, i)
		}
	}
}

// TestABlockOfAShardMoves only when it is configured and certain that no attempt has stored it.
func TestABlockOfAShardMoves(t *testing.T) {
	for _, c := range []struct {
		reroute, movable bool
		want             string
	}{{false, true, "a"}, {true, false, "a"}, {true, true, "b"}} {
		in := firstDown("a", "b")
		in.routing, in.reroute = routingShards, c.reroute
		require.Equal(t, c.want, in.choose(blockqueue.Request{Movable: c.movable}).pool.Addr(), "%+v", c)
	}
}

func TestEveryCompressionArrives(t *testing.T) {
	for _, method := range []string{nativeblock.LZ4, nativeblock.ZSTD, nativeblock.None} {
		t.Run(method, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Compression = method
			e := startLogs(t, cfg, settings(), nopHost())
			send(t, e, 0, 1000)
			eventually(t, "1000", countAccess(cfg))
		})
	}
}

// TestTLS to a proxy that ends it before the real server; a certificate of another authority is refused.
func TestTLS(t *testing.T) {
	cfg := testConfig(t)
	cert, ca := certificate(t)
	cfg.Endpoints = []string{tlsProxy(t, cert, cfg.Endpoints[0])}
	cfg.TLS = configoptional.Some(configtls.ClientConfig{Config: configtls.Config{CAFile: ca}})
	e := startLogs(t, cfg, settings(), nopHost())
	send(t, e, 0, 10)
	eventually(t, "10", countAccess(cfg))

	_, other := certificate(t)
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(other)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(pem))
	_, err = chconn.Dial(context.Background(), chconn.Options{
		Addr: cfg.Endpoints[0], User: "default", DialTimeout: time.Second, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	})
	var unknown *tls.CertificateVerificationError
	require.ErrorAs(t, err, &unknown)
}

// certificate of 127.0.0.1, and the file of its authority, which is itself.
func certificate(t *testing.T) (cert tls.Certificate, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

// tlsProxy returns the address of a listener that passes what it decrypts on to backend.
func tlsProxy(t *testing.T, cert tls.Certificate, backend string) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { forward(client, backend) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func forward(client net.Conn, backend string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	wg.Wait()
}

// TestConnectionsAreBounded: whoever comes when all are in use waits.
func TestConnectionsAreBounded(t *testing.T) {
	pool := chconn.NewPool(chconn.Options{Addr: testenv.ClickHouse(t), User: "default", DialTimeout: waitFor}, chconn.NewSlots(1))
	t.Cleanup(pool.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	nothing := func(*chconn.Conn) error { return nil }
	require.NoError(t, pool.Do(context.Background(), func(*chconn.Conn) error {
		require.ErrorIs(t, pool.Do(ctx, nothing), context.DeadlineExceeded)
		return nil
	}))
	require.NoError(t, pool.Do(context.Background(), nothing))
}
