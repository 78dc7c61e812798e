package otlpencoding

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/avika-ai/avika-collector/extension/otlpencoding/internal/metadata"
)

// NewFactory returns the factory of the otlp_encoding extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &encoding{dir: config.(*Config).DeadLetter.Directory, log: set.Logger, telemetry: builder}, nil
}
