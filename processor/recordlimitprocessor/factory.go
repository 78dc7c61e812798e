package recordlimitprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/avika-ai/avika-collector/processor/recordlimitprocessor/internal/metadata"
)

// NewFactory returns the factory of the record_limit processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(metadata.Type, createDefaultConfig,
		processor.WithLogs(createLogs, metadata.LogsStability),
		processor.WithMetrics(createMetrics, metadata.MetricsStability),
		processor.WithTraces(createTraces, metadata.TracesStability))
}

var (
	mutates  = processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true})
	mutating = consumer.WithCapabilities(consumer.Capabilities{MutatesData: true})
)

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	l, err := newLimiter(set, cfg.(*Config), "logs")
	if err != nil {
		return nil, err
	}
	if cfg.(*Config).RetryRefused {
		g := &guard[plog.Logs]{limiter: l, next: next.ConsumeLogs, copyOf: copyOfLogs}
		if next, err = consumer.NewLogs(g.consume, mutating); err != nil {
			return nil, err
		}
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, l.logs, mutates, processorhelper.WithShutdown(l.shutdown))
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	l, err := newLimiter(set, cfg.(*Config), "metrics")
	if err != nil {
		return nil, err
	}
	if cfg.(*Config).RetryRefused {
		g := &guard[pmetric.Metrics]{limiter: l, next: next.ConsumeMetrics, copyOf: copyOfMetrics}
		if next, err = consumer.NewMetrics(g.consume, mutating); err != nil {
			return nil, err
		}
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, l.metrics, mutates, processorhelper.WithShutdown(l.shutdown))
}

func createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	l, err := newLimiter(set, cfg.(*Config), "traces")
	if err != nil {
		return nil, err
	}
	if cfg.(*Config).RetryRefused {
		g := &guard[ptrace.Traces]{limiter: l, next: next.ConsumeTraces, copyOf: copyOfTraces}
		if next, err = consumer.NewTraces(g.consume, mutating); err != nil {
			return nil, err
		}
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, l.traces, mutates, processorhelper.WithShutdown(l.shutdown))
}
