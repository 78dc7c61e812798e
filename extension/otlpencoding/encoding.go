package otlpencoding

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/otlpencoding/internal/metadata"
	"github.com/avika-ai/avika-collector/internal/deadletter"
)

var (
	_ plog.Unmarshaler    = (*encoding)(nil)
	_ pmetric.Unmarshaler = (*encoding)(nil)
	_ ptrace.Unmarshaler  = (*encoding)(nil)
)

// encoding reads OTLP. A message that is none, and that is on disk, reads as one without content.
type encoding struct {
	dir       string
	log       *zap.Logger
	telemetry *metadata.TelemetryBuilder
}

// Start implements component.Component.
func (e *encoding) Start(context.Context, component.Host) error { return nil }

// Shutdown implements component.Component.
func (e *encoding) Shutdown(context.Context) error {
	e.telemetry.Shutdown()
	return nil
}

// UnmarshalLogs implements plog.Unmarshaler.
func (e *encoding) UnmarshalLogs(message []byte) (plog.Logs, error) {
	data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(message)
	if err != nil {
		return plog.NewLogs(), e.keep("logs", message, err)
	}
	return data, nil
}

// UnmarshalMetrics implements pmetric.Unmarshaler.
func (e *encoding) UnmarshalMetrics(message []byte) (pmetric.Metrics, error) {
	data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(message)
	if err != nil {
		return pmetric.NewMetrics(), e.keep("metrics", message, err)
	}
	return data, nil
}

// UnmarshalTraces implements ptrace.Unmarshaler.
func (e *encoding) UnmarshalTraces(message []byte) (ptrace.Traces, error) {
	data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message)
	if err != nil {
		return ptrace.NewTraces(), e.keep("traces", message, err)
	}
	return data, nil
}

// keep writes a message to the dead letters. The error is why it cannot be read when that fails.
func (e *encoding) keep(signal string, message []byte, cause error) error {
	attrs := metric.WithAttributeSet(attribute.NewSet(attribute.String("signal", signal)))
	path, err := deadletter.Keep(e.dir, message, deadletter.Letter{Signal: signal, Cause: cause.Error()})
	if err != nil {
		e.telemetry.ExtensionOtlpEncodingRefused.Add(context.Background(), 1, attrs)
		return fmt.Errorf("message is no OTLP: %w, and is not kept aside: %w", cause, err)
	}
	e.telemetry.ExtensionOtlpEncodingDeadLettered.Add(context.Background(), 1, attrs)
	e.log.Error("A message is no OTLP: it is in the dead-letter folder",
		zap.String("signal", signal), zap.Int("bytes", len(message)), zap.String("file", path), zap.Error(cause))
	return nil
}
