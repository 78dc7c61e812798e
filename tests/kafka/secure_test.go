package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestSASLAndTLS: brokers that want both, from the two variables, the password from a third.
func TestSASLAndTLS(t *testing.T) {
	t.Parallel()
	certificate, pool, file := authority(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second), kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-512", "avika", "12345"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	q := harness.NewQueue(t, cluster.ListenAddrs()[0], kgo.DialTLSConfig(&tls.Config{RootCAs: pool}),
		kgo.SASL(scram.Auth{User: "avika", Pass: "12345"}.AsSha512Mechanism()))
	out, code := avikaTopics(t, q, "--wait", "2s")
	assert.Equal(t, 1, code, "without TLS: %s", out)
	q.Security = []string{
		`KAFKA_SASL={mechanism: SCRAM-SHA-512, username: avika, password: "${env:KAFKA_PASSWORD}"}`, "KAFKA_PASSWORD=12345",
		"KAFKA_TLS={ca_file: " + file + "}",
	}
	w := newWayOn(t, q)
	ingest, writer := w.ingest(), w.writer()
	send(t, ingest, 5, 100, 500)
	w.exactlyOnce(500)
	require.Eventually(t, func() bool { return writer.Metrics(t).Has("otelcol_extension_kafka_lag_records") }, harness.WaitFor, harness.Tick)
}

// authority makes a certificate for the loopback address that is its own authority, and writes it to a file.
func authority(t *testing.T) (tls.Certificate, *x509.CertPool, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, file
}
