package chbatchexporter

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/metadata"
)

// NewFactory makes the factory of the exporter.
func NewFactory() exporter.Factory {
	f := &factory{backends: map[*Config]*backend{}}
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithLogs(f.createLogs, metadata.LogsStability),
		exporter.WithTraces(f.createTraces, metadata.TracesStability),
		exporter.WithMetrics(f.createMetrics, metadata.MetricsStability))
}

// factory gives the signals of one configuration one backend.
type factory struct {
	mu       sync.Mutex
	backends map[*Config]*backend
}

func (f *factory) signal(set exporter.Settings, cfg component.Config, s pipeline.Signal) (*signalExporter, error) {
	c, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("configuration is %T", cfg)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.backends[c]
	if b == nil {
		b = &backend{cfg: c, log: set.Logger, load: newLoad()}
		f.backends[c] = b
	}
	limits := map[pipeline.Signal]SignalConfig{
		pipeline.SignalLogs: c.Logs, pipeline.SignalTraces: c.Traces, pipeline.SignalMetrics: c.Metrics,
	}
	return &signalExporter{cfg: c, set: set, signal: s, limits: limits[s], backend: b, started: make(chan struct{})}, nil
}

func (f *factory) createLogs(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	s, err := f.signal(set, cfg, pipeline.SignalLogs)
	return &logsExporter{signalExporter: s}, err
}

func (f *factory) createTraces(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	s, err := f.signal(set, cfg, pipeline.SignalTraces)
	return &tracesExporter{signalExporter: s}, err
}

func (f *factory) createMetrics(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	s, err := f.signal(set, cfg, pipeline.SignalMetrics)
	return &metricsExporter{signalExporter: s}, err
}
