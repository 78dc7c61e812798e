package otlpencoding

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/avika-ai/avika-collector/extension/otlpencoding/internal/metadata"
)

// linesPerMinute of the log about messages that are no OTLP: a topic may be full of them. The metric counts all.
const linesPerMinute = 10

// NewFactory returns the factory of the otlp_encoding extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &encoding{dir: config.(*Config).DeadLetter.Directory, log: set.Logger.WithOptions(zap.WrapCore(fewLines)), telemetry: builder}, nil
}

func fewLines(core zapcore.Core) zapcore.Core {
	return zapcore.NewSamplerWithOptions(core, time.Minute, linesPerMinute, 0)
}
