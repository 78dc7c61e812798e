package agentregistry

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
	"github.com/avika-ai/avika-collector/internal/configdocs"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	config := createDefaultConfig()
	require.NoError(t, sub.Unmarshal(config))
	return config.(*Config), xconfmap.Validate(config)
}

func TestConfig(t *testing.T) {
	storage := component.MustNewID("file_storage")
	for name, change := range map[string]func(*Config){
		"": func(*Config) {},
		"embedded": func(c *Config) {
			c.Storage = &storage
			c.GatewayID = "gateway-1"
		},
		"all": func(c *Config) {
			c.HTTP.NetAddr.Endpoint = "0.0.0.0:5021"
			auth := confighttp.AuthConfig{}
			auth.AuthenticatorID = component.MustNewID("bearertokenauth")
			c.HTTP.Auth = configoptional.Some(auth)
			c.GatewayID, c.Advertise = "gateway-2", "https://10.0.0.2:5021"
			c.PostgreSQL = PostgreSQLConfig{
				DSN: "postgres://avika:secret@db/avika", Listen: false, PollInterval: 2 * time.Second, MaxConns: 8,
				ConnectTimeout: 3 * time.Second, QueryTimeout: 4 * time.Second,
			}
			c.Enrolment, c.MaxAgents, c.Control = "approval", 500, "off"
			c.Lease = LeaseConfig{Duration: 20 * time.Second, RenewInterval: 5 * time.Second}
			c.Commands = CommandsConfig{Expiry: time.Minute, ConfirmTimeout: 10 * time.Second, UpdateTimeout: 20 * time.Minute}
			c.FlushInterval = 30 * time.Second
			c.Retention = RetentionConfig{Agents: 24 * time.Hour, History: 48 * time.Hour, HistoryPerAgent: 50}
			c.Peers.TLS = configtls.ClientConfig{Config: configtls.Config{CAFile: "/ca.pem"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := createDefaultConfig().(*Config)
			change(want)
			got, err := load(t, name)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestInvalidConfig(t *testing.T) {
	for name, messages := range map[string][]string{
		"words":      {`enrolment "perhaps" is not one of auto, approval`, `control "everybody" is not one of auth, open, off`, `advertise "10.0.0.1" is not a URL`, "max_agents -1 must not be negative"},
		"times":      {"flush_interval 10ms is less than 1s", "expiry 0s is less than 1s", "confirm_timeout 1ms", "update_timeout -1s", "must not be negative"},
		"lease":      {"renew_interval 5s is not between 0 and a third of duration 10s"},
		"postgresql": {"max_conns 0 is less than 1", "poll_interval 1ms is less than 100ms", "must be positive", "storage keeps the embedded backend"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, "invalid_"+name)
			for _, message := range messages {
				require.ErrorContains(t, err, message)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c, err := load(t, "all")
	require.NoError(t, err)
	text, err := c.PostgreSQL.DSN.MarshalText()
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret")
}

func TestREADMENamesEveryKey(t *testing.T) {
	unnamed, err := configdocs.Unnamed("README.md", createDefaultConfig())
	require.NoError(t, err)
	require.Empty(t, unnamed)
}
