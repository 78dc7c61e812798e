package avikareceiver

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/avika-ai/avika-collector/internal/configdocs"
)

func loadConfig(t *testing.T, file, id string) (*Config, error) {
	t.Helper()
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs:              []string{filepath.Join("testdata", file)},
		ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()},
		DefaultScheme:     "env",
	})
	require.NoError(t, err)
	all, err := resolver.Resolve(t.Context())
	require.NoError(t, err)
	section, err := all.Sub(id)
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	if err := section.Unmarshal(config); err != nil {
		return nil, err
	}
	return config, xconfmap.Validate(config)
}

func fullConfig() *Config {
	want := createDefaultConfig().(*Config)
	want.NetAddr.Endpoint = "0.0.0.0:5020"
	want.MaxRecvMsgSizeMiB = 8
	want.MaxConcurrentStreams = 4
	want.ReadBufferSize = 65536
	want.WriteBufferSize = 8192
	want.IncludeMetadata = true
	tls := configtls.NewDefaultServerConfig()
	tls.CertFile, tls.KeyFile, tls.ClientCAFile = "server.pem", "server.key", "ca.pem"
	want.TLS = configoptional.Some(tls)
	want.Auth = configoptional.Some(configauth.Config{AuthenticatorID: component.MustNewID("bearertokenauth")})
	keepalive := defaultKeepalive()
	keepalive.ServerParameters.Get().Time = 30 * time.Second
	keepalive.EnforcementPolicy.Get().MinTime = 10 * time.Second
	want.Keepalive = configoptional.Some(keepalive)
	registry := component.MustNewID("agent_registry")
	want.Registry = &registry
	want.PSK = PSKConfig{Keys: testKey, KeyFile: "/etc/avika/psk", ClockSkew: time.Minute}
	want.TrustedProxies = []string{"10.0.0.0/8", "fd00::/8,192.0.2.1"}
	want.Spans.Enabled = false
	want.Batch = BatchConfig{MaxRecords: 1000, MaxBytes: 65536, Timeout: time.Second, Gather: 50 * time.Millisecond, Partitions: 12, Reuse: true}
	want.Limits = LimitsConfig{Streams: 100, PendingBytes: 1 << 20, StreamWindow: 65535, Labels: 8, IdleTimeout: 10 * time.Second}
	want.Retry.InitialInterval, want.Retry.MaxInterval, want.Retry.MaxElapsedTime = time.Second, 10*time.Second, time.Minute
	want.ShutdownTimeout = 5 * time.Second
	return want
}

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestConfig(t *testing.T) {
	got, err := loadConfig(t, "config.yaml", "avika")
	require.NoError(t, err)
	require.Equal(t, createDefaultConfig(), got)
	got, err = loadConfig(t, "config.yaml", "avika/full")
	require.NoError(t, err)
	require.Equal(t, fullConfig(), got)
}

// Digits alone look like a number to YAML, and an empty variable like nothing.
func TestConfigFromEnvironment(t *testing.T) {
	for _, keys := range []string{"", testKey, strings.Repeat("12", 32), strings.Repeat("0", 63) + "1", testKey + "," + strings.Repeat("9", 64)} {
		t.Setenv("AVIKA_TEST_PSK", keys)
		t.Setenv("AVIKA_TEST_PROXIES", "10.0.0.0/8,192.0.2.1")
		got, err := loadConfig(t, "config.yaml", "avika/environment")
		require.NoError(t, err, keys)
		require.Equal(t, keys, string(got.PSK.Keys))
		require.Equal(t, []string{"10.0.0.0/8", "192.0.2.1"}, got.TrustedProxies)
	}
}

func TestInvalidConfig(t *testing.T) {
	for id, want := range map[string][]string{
		"avika/endpoint":         {`"endpoint" must not be empty`},
		"avika/size":             {"invalid max_recv_msg_size_mib"},
		"avika/key_not_hex":      {"psk", `"keys": key 2 is not hex-encoded`},
		"avika/key_short":        {"psk", `"keys": key 1 has 2 bytes, must have 32`},
		"avika/clock_skew":       {"psk", `"clock_skew" must be positive, is 0s`},
		"avika/trusted_proxies":  {`"trusted_proxies": "example.com" is neither a network nor an address`},
		"avika/batch":            {`"max_records" must be positive, is 0`, `"max_bytes" must be positive, is -1`, `"timeout" must be positive, is 0`, `"gather" must not be negative, is -1s`, `"partitions" must be from 0 to 10000, is -1`},
		"avika/limits":           {`"streams" must be positive`, `"pending_bytes" must be positive`, `"stream_window" must be from 65535 to 2147483647, is 1024`, `"labels" must not be negative, is -1`, `"idle_timeout" must not be negative, is -1s`},
		"avika/retry":            {"retry_on_failure", "'multiplier' must be non-negative"},
		"avika/shutdown_timeout": {`"shutdown_timeout" must be positive, is 0s`},
		"avika/gather":           {`"batch::gather" must be shorter than "shutdown_timeout" (10s), is 10s`},
		"avika/unknown_key":      {"listen"},
	} {
		t.Run(id, func(t *testing.T) {
			_, err := loadConfig(t, "invalid.yaml", id)
			require.Error(t, err)
			for _, text := range want {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestValidateChangesNothing(t *testing.T) {
	config := fullConfig()
	require.NoError(t, config.Validate())
	require.Equal(t, fullConfig(), config)
}

func TestREADMENamesEveryKey(t *testing.T) {
	unnamed, err := configdocs.Unnamed("README.md", createDefaultConfig())
	require.NoError(t, err)
	require.Equal(t, []string{"dialer"}, unnamed, "of confignet, for clients")
}
