package kafkalag

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/avika-ai/avika-collector/extension/kafkalag/internal/metadata"
	"github.com/avika-ai/avika-collector/internal/kafkaclient"
)

func TestConfig(t *testing.T) {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	load := func(name string) (*Config, error) {
		sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
		require.NoError(t, err)
		c := createDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(c))
		return c, xconfmap.Validate(c)
	}
	got, err := load("")
	require.NoError(t, err)
	require.Equal(t, createDefaultConfig(), got)
	got, err = load("full")
	require.NoError(t, err)
	require.Equal(t, &Config{
		Brokers: []string{"kafka-1:9093", "kafka-2:9093"}, Group: "writers", Interval: 30 * time.Second, DeleteRead: true,
		TLS:  &configtls.ClientConfig{Config: configtls.Config{CAFile: "ca.pem"}},
		SASL: &kafkaclient.SASL{Mechanism: "SCRAM-SHA-512", Username: "avika", Password: "secret"},
	}, got)
	_, err = load("invalid")
	for _, want := range []string{
		`"brokers" must not be empty`, `"group_id" must not be empty`, `"interval" must be at least 1s, is 1ms`,
		`mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, is "GSSAPI"`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// The lag itself is tested on a broker, in tests/kafka.
func TestStartsWithoutABroker(t *testing.T) {
	tel := componenttest.NewTelemetry()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	cfg := createDefaultConfig().(*Config)
	cfg.Brokers, cfg.Interval = []string{"127.0.0.1:1"}, 50*time.Millisecond
	ext, err := NewFactory().Create(context.Background(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(context.Background(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool {
		_, err := tel.GetMetric("otelcol_extension_kafka_lag_failures")
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	_, err = tel.GetMetric("otelcol_extension_kafka_lag_records")
	require.Error(t, err, "what is not known is not reported")
	require.NoError(t, ext.Shutdown(context.Background()))
	require.NoError(t, ext.Shutdown(context.Background()))
}
