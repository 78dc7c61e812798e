package agentregistry

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/httpapi"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
)

// NewFactory returns the factory of the agent_registry extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config {
	http := confighttp.NewDefaultServerConfig()
	http.NetAddr.Endpoint = "localhost:5021"
	http.MaxRequestBodySize = 4 << 20
	return &Config{
		HTTP: http,
		PostgreSQL: PostgreSQLConfig{
			Listen: true, PollInterval: time.Second, MaxConns: 4, ConnectTimeout: 5 * time.Second, QueryTimeout: 5 * time.Second,
		},
		Enrolment:     enrolmentAuto,
		MaxAgents:     100_000,
		Control:       httpapi.ControlAuth,
		Lease:         LeaseConfig{Duration: 10 * time.Second, RenewInterval: 3 * time.Second},
		Commands:      CommandsConfig{Expiry: 5 * time.Minute, ConfirmTimeout: 30 * time.Second, UpdateTimeout: 10 * time.Minute},
		FlushInterval: 15 * time.Second,
		Retention:     RetentionConfig{Agents: 720 * time.Hour, History: 720 * time.Hour, HistoryPerAgent: 1000},
	}
}

func create(_ context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	return newRegistry(set, config.(*Config))
}
