package avikareceiver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// certificates are a CA, and a server's and a client's key pair, in files.
type certificates struct {
	dir    string
	pool   *x509.CertPool
	client tls.Certificate
}

func newCertificates(t *testing.T) certificates {
	t.Helper()
	c := certificates{dir: t.TempDir(), pool: x509.NewCertPool()}
	caKey, ca := c.create(t, "ca", nil, nil)
	c.pool.AddCert(ca)
	c.create(t, "server", ca, caKey)
	c.create(t, "client", ca, caKey)
	var err error
	c.client, err = tls.LoadX509KeyPair(c.file("client.pem"), c.file("client.key"))
	require.NoError(t, err)
	return c
}

func (c *certificates) file(name string) string { return filepath.Join(c.dir, name) }

func (c *certificates) create(t *testing.T, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: parent == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(crand.Reader, template, parent, &key.PublicKey, parentKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(c.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return key, certificate
}

func TestTLSAndMTLS(t *testing.T) {
	certs := newCertificates(t)
	id := component.MustNewID("agent_registry")
	for name, test := range map[string]struct {
		clientCA       string
		client         *tls.Config
		authentication agentsession.Authentication
	}{
		"tls":                         {"", &tls.Config{RootCAs: certs.pool}, agentsession.AuthenticationNone},
		"mtls":                        {certs.file("ca.pem"), &tls.Config{RootCAs: certs.pool, Certificates: []tls.Certificate{certs.client}}, agentsession.AuthenticationMTLS},
		"mtls without a certificate":  {certs.file("ca.pem"), &tls.Config{RootCAs: certs.pool}, ""},
		"tls with an unknown CA":      {"", &tls.Config{RootCAs: x509.NewCertPool()}, ""},
		"plaintext where TLS is used": {"", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			registry := &registryDouble{}
			g := newRig(t, func(c *Config) {
				settings := configtls.NewDefaultServerConfig()
				settings.CertFile, settings.KeyFile, settings.ClientCAFile = certs.file("server.pem"), certs.file("server.key"), test.clientCA
				c.TLS = configoptional.Some(settings)
				c.Registry = &id
			})
			g.host = hostWith{id: registry}
			g.start()
			transport := insecure.NewCredentials()
			if test.client != nil {
				transport = credentials.NewTLS(test.client)
			}
			connection, err := grpc.NewClient(g.receiver.address.String(), grpc.WithTransportCredentials(transport))
			require.NoError(t, err)
			defer connection.Close()
			stream, err := agentv1.NewCommanderClient(connection).Connect(t.Context())
			if test.authentication == "" {
				if err == nil {
					err = endOf(stream)
				}
				require.Equal(t, codes.Unavailable, status.Code(err))
				eventually(t, func() bool { return g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedTLS) > 0 })
				require.Equal(t, 1, g.log.FilterMessage("Refused a stream").Len(), "logged once")
				return
			}
			require.NoError(t, err)
			require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
			eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
			require.Equal(t, test.authentication, registry.peers[0].Authentication)
		})
	}
}

type authDouble struct {
	component.StartFunc
	component.ShutdownFunc
}

func (authDouble) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	if len(sources["authorization"]) == 0 {
		return ctx, errors.New("no token")
	}
	info := client.FromContext(ctx)
	info.Auth = authData{}
	return client.NewContext(ctx, info), nil
}

type authData struct{}

func (authData) GetAttribute(string) any     { return "tenant" }
func (authData) GetAttributeNames() []string { return []string{"subject"} }

func TestCollectorsAuthenticator(t *testing.T) {
	authID, registryID := component.MustNewID("auth"), component.MustNewID("agent_registry")
	registry := &registryDouble{}
	g := newRig(t, func(c *Config) {
		c.Auth = configoptional.Some(configauth.Config{AuthenticatorID: authID})
		c.IncludeMetadata = true
		c.Registry = &registryID
	})
	g.host = hostWith{authID: authDouble{}, registryID: registry}
	var seen client.Info
	g.consume = func(ctx context.Context, _ plog.Logs) error { seen = client.FromContext(ctx); return nil }
	g.start()

	err := endOf(g.dial())
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.ErrorContains(t, err, "no token")
	require.EqualValues(t, 1, g.counted("otelcol_receiver_avika_streams_refused", "reason", refusedAuth))

	stream := g.dialSigned([]string{"authorization", "Bearer x"})
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{Status: 200})))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	require.Equal(t, agentsession.AuthenticationExtension, registry.peers[0].Authentication)
	require.Equal(t, "tenant", seen.Auth.GetAttribute("subject"))
	require.Equal(t, []string{"Bearer x"}, seen.Metadata.Get("authorization"))
	require.NotNil(t, seen.Addr)
}

// The registry's services share the port, and the protection.
func TestOtherServicesAreProtectedToo(t *testing.T) {
	id := component.MustNewID("agent_registry")
	g := newRig(t, func(c *Config) { c.PSK.Keys = testKey; c.Registry = &id })
	g.host = hostWith{id: &listingRegistry{}}
	g.start()
	connection, err := grpc.NewClient(g.receiver.address.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	service := agentv1.NewAgentServiceClient(connection)
	_, err = service.ListAgents(t.Context(), &agentv1.ListAgentsRequest{})
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	ctx := metadata.AppendToOutgoingContext(t.Context(), signedMetadata(testKey, "tool", "h", time.Now())...)
	answer, err := service.ListAgents(ctx, &agentv1.ListAgentsRequest{})
	require.NoError(t, err)
	require.Equal(t, "v", answer.GetSystemVersion())
}

type listingRegistry struct {
	registryDouble
	agentv1.UnimplementedAgentServiceServer
}

func (r *listingRegistry) RegisterServices(server grpc.ServiceRegistrar) {
	agentv1.RegisterAgentServiceServer(server, r)
}

func (*listingRegistry) ListAgents(context.Context, *agentv1.ListAgentsRequest) (*agentv1.ListAgentsResponse, error) {
	return &agentv1.ListAgentsResponse{SystemVersion: "v"}, nil
}
