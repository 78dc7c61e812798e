package kafkalag

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/avika-ai/avika-collector/extension/kafkalag/internal/metadata"
)

// NewFactory returns the factory of the kafka_lag extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	return &observer{cfg: config.(*Config), set: set}, nil
}
