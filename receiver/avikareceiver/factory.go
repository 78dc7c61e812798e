package avikareceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/metadata"
)

// NewFactory returns the factory of the avika receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithLogs(createLogs, metadata.LogsStability),
		receiver.WithMetrics(createMetrics, metadata.MetricsStability),
		receiver.WithTraces(createTraces, metadata.TracesStability),
	)
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	s, err := receivers.get(cfg.(*Config), set)
	if err != nil {
		return nil, err
	}
	s.receiver.logs = next
	return s, nil
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	s, err := receivers.get(cfg.(*Config), set)
	if err != nil {
		return nil, err
	}
	s.receiver.metrics = next
	return s, nil
}

func createTraces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	s, err := receivers.get(cfg.(*Config), set)
	if err != nil {
		return nil, err
	}
	s.receiver.traces = next
	return s, nil
}
