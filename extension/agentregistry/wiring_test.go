package agentregistry

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// tokens is an authenticator, as the collector's extensions are.
type tokens struct {
	component.StartFunc
	component.ShutdownFunc
}

func (tokens) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	for name, values := range sources {
		if strings.EqualFold(name, "authorization") && values[0] == "Bearer good" {
			return ctx, nil
		}
	}
	return ctx, errors.New("no token")
}

var authenticator = component.MustNewID("bearertokenauth")

func withAuth(c *Config) {
	auth := confighttp.AuthConfig{}
	auth.AuthenticatorID = authenticator
	c.HTTP.Auth = configoptional.Some(auth)
}

func ask(t *testing.T, method, url, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestAuthenticatorTurnsControlOn(t *testing.T) {
	r := start(t, hostWith(map[component.ID]component.Component{authenticator: tokens{}}), withAuth)
	session := connect(t, r, "a")
	assert.Equal(t, http.StatusUnauthorized, ask(t, http.MethodGet, r.url("/api/v1/agents"), "Bearer bad"))
	assert.Equal(t, http.StatusOK, ask(t, http.MethodGet, r.url("/api/v1/agents"), "Bearer good"))
	assert.Equal(t, http.StatusOK, ask(t, http.MethodGet, r.url("/health"), ""))
	require.Eventually(t, func() bool {
		return ask(t, http.MethodDelete, r.url("/api/v1/agents/a"), "Bearer good") == http.StatusNoContent
	}, soon, tick)
	<-session.Done()
	assert.Equal(t, []component.ID{authenticator}, r.Dependencies())
}

func TestWithoutAnAuthenticatorItIsReadOnly(t *testing.T) {
	r := start(t, componenttest.NewNopHost(), nil)
	connect(t, r, "a")
	assert.Equal(t, http.StatusForbidden, ask(t, http.MethodDelete, r.url("/api/v1/agents/a"), ""))
	assert.Empty(t, r.Dependencies())
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	storage := component.MustNewID("file_storage")
	taken := start(t, componenttest.NewNopHost(), nil)
	for name, test := range map[string]struct {
		change     func(*Config)
		extensions map[component.ID]component.Component
		message    string
	}{
		"authenticator not declared": {withAuth, nil, "http.auth: failed to resolve authenticator"},
		"storage not declared":       {func(c *Config) { c.Storage = &storage }, nil, `storage "file_storage" is not among the extensions`},
		"storage is something else": {
			func(c *Config) { c.Storage = &storage }, map[component.ID]component.Component{storage: tokens{}}, "is not a storage extension",
		},
		"dsn":  {func(c *Config) { c.PostgreSQL.DSN = "postgres://user:secret@host:notaport/db" }, nil, "postgresql.dsn"},
		"port": {func(c *Config) { c.HTTP.NetAddr.Endpoint = taken.address.String() }, nil, "listen on"},
	} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			config.HTTP.NetAddr.Endpoint = "localhost:0"
			test.change(config)
			r, err := newRegistry(extensiontest.NewNopSettings(metadata.Type), config)
			require.NoError(t, err)
			err = r.Start(t.Context(), hostWith(test.extensions))
			require.ErrorContains(t, err, test.message)
			assert.NotContains(t, err.Error(), "secret")
			require.NoError(t, r.Shutdown(t.Context()))
		})
	}
}

// Each key goes where it belongs.
func TestFleetSettings(t *testing.T) {
	config, err := load(t, "all")
	require.NoError(t, err)
	r, err := newRegistry(extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	r.build.version = "1.2.3"
	got, err := r.fleetSettings(nil)
	require.NoError(t, err)
	assert.Equal(t, fleet.Settings{
		GatewayID: "gateway-2", Address: "https://10.0.0.2:5021", Version: "1.2.3", RequireApproval: true, MaxAgents: 500, Lease: 20 * time.Second, Renew: 5 * time.Second,
		Poll: 2 * time.Second, FlushInterval: 30 * time.Second, SweepInterval: sweepInterval, OperationTimeout: 4 * time.Second, CommandExpiry: time.Minute,
		Policy: store.SweepPolicy{
			AgentRetention: 24 * time.Hour, HistoryRetention: 48 * time.Hour, HistoryPerAgent: 50, Confirm: 10 * time.Second, ConfirmUpdate: 20 * time.Minute,
		},
	}, got)
}

func TestAdvertisedAddress(t *testing.T) {
	assert.Equal(t, "http://127.0.0.1:5021", advertised(address("127.0.0.1:5021"), false))
	assert.Equal(t, "https://[::1]:5021", advertised(address("[::1]:5021"), true))
	for _, all := range []string{"0.0.0.0:5021", "[::]:5021"} {
		got := advertised(address(all), false)
		assert.NotContains(t, got, "0.0.0.0")
		assert.NotContains(t, got, "[::]")
		assert.True(t, strings.HasSuffix(got, ":5021"), got)
	}
	assert.Empty(t, advertised(address("/run/registry.sock"), false))
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
