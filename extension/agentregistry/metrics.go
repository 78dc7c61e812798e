package agentregistry

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
)

// memory is the runtime's view of memory, read at most once a second, as reading it stops the world for a moment.
type memory struct {
	mu   sync.Mutex
	at   time.Time
	last runtime.MemStats
}

func (m *memory) stats() *runtime.MemStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) > time.Second {
		runtime.ReadMemStats(&m.last)
		m.at = time.Now()
	}
	stats := m.last
	return &stats
}

// observe registers the nginx_gateway metrics.
func (r *registry) observe(builder *metadata.TelemetryBuilder) error {
	value := func(get func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(get())
			return nil
		}
	}
	return errors.Join(
		builder.RegisterInfoCallback(r.observeInfo),
		builder.RegisterAgentsTotalCallback(r.observeAgents),
		builder.RegisterDbOperationsCallback(r.observeOperations),
		builder.RegisterExtensionAgentRegistryDatabaseUpCallback(value(r.databaseUp)),
		builder.RegisterExtensionAgentRegistryAgentsDriftedCallback(value(func() int64 { return int64(r.fleet.Count().Drifted) })),
		builder.RegisterExtensionAgentRegistryAgentsPendingCallback(value(func() int64 { return int64(r.fleet.Count().Pending) })),
		builder.RegisterExtensionAgentRegistryAgentsFlappingCallback(value(func() int64 { return int64(r.fleet.Conditions().Flapping) })),
		builder.RegisterExtensionAgentRegistryLeasesLostCallback(value(func() int64 { return r.fleet.Conditions().LeasesLost })),
		builder.RegisterExtensionAgentRegistryCertificateExpiryCallback(r.observeCertificates),
		builder.RegisterDbLatencyAvgMsCallback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(r.store.Latency()) / float64(time.Millisecond))
			return nil
		}),
		builder.RegisterGoroutinesCallback(value(func() int64 { return int64(runtime.NumGoroutine()) })),
		builder.RegisterMemoryAllocBytesCallback(value(func() int64 { return int64(r.memory.stats().Alloc) })),
		builder.RegisterMemorySysBytesCallback(value(func() int64 { return int64(r.memory.stats().Sys) })),
		builder.RegisterGcPauseTotalNsCallback(value(func() int64 { return int64(r.memory.stats().PauseTotalNs) })),
	)
}

func (r *registry) observeInfo(_ context.Context, o metric.Int64Observer) error {
	o.Observe(1, metric.WithAttributes(
		attribute.String("version", r.build.version), attribute.String("build_date", r.build.date), attribute.String("git_commit", r.build.commit),
	))
	return nil
}

func (r *registry) observeAgents(_ context.Context, o metric.Int64Observer) error {
	counts := r.fleet.Count()
	o.Observe(int64(counts.Online), metric.WithAttributes(attribute.String("status", "online")))
	o.Observe(int64(counts.Offline), metric.WithAttributes(attribute.String("status", "offline")))
	return nil
}

func (r *registry) databaseUp() int64 {
	if r.fleet.DatabaseState().State == fleet.Connected {
		return 1
	}
	return 0
}

// observeCertificates says nothing when no agent told of a certificate.
func (r *registry) observeCertificates(_ context.Context, o metric.Int64Observer) error {
	if at := r.fleet.Conditions().CertificateExpires; !at.IsZero() {
		o.Observe(at.Unix())
	}
	return nil
}

func (r *registry) observeOperations(_ context.Context, o metric.Int64Observer) error {
	for operation, n := range r.store.Counts() {
		outcome := "ok"
		if operation.Failed {
			outcome = "failed"
		}
		o.Observe(n, metric.WithAttributes(attribute.String("operation", operation.Name), attribute.String("outcome", outcome)))
	}
	return nil
}
