package avikareceiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
)

// avikaReceiver is one server and the streams of its agents.
type avikaReceiver struct {
	config    *Config
	settings  receiver.Settings
	logger    *zap.Logger
	logs      consumer.Logs
	metrics   consumer.Metrics
	traces    consumer.Traces
	report    *receiverhelper.ObsReport
	telemetry *telemetry

	translation translate.Settings
	translators sync.Pool
	// partitions are the values of client metadata that agents' hosts are spread over.
	partitions []string
	psk        *pskVerifier
	registry   agentsession.Registry
	pending    *budget
	streams    streamSet
	opened     atomic.Uint32 // streams so far
	waiting    connections
	gatherers  *gatherers
	tap        *streamtap.Tap

	server   *grpc.Server
	listener net.Listener
	address  net.Addr
	draining chan struct{}

	// life ends when a shutdown has run out of time: what is not delivered by then is given up. work counts the goroutines
	// that belong to streams, serving the others.
	life    context.Context
	endLife context.CancelFunc
	work    sync.WaitGroup
	serving sync.WaitGroup
}

func newReceiver(cfg *Config, set receiver.Settings) (*avikaReceiver, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "grpc", ReceiverCreateSettings: set, LongLivedCtx: true,
	})
	if err != nil {
		return nil, err
	}
	r := &avikaReceiver{
		config:   cfg,
		settings: set,
		logger:   set.Logger,
		report:   report,
		pending:  newBudget(int64(cfg.Limits.PendingBytes)),
		streams:  streamSet{open: map[*stream]struct{}{}},
		draining: make(chan struct{}),
	}
	r.life, r.endLife = context.WithCancel(context.Background())
	r.telemetry, err = newTelemetry(r)
	return r, err
}

// start binds the address and serves. It needs nothing else to be up.
func (r *avikaReceiver) start(ctx context.Context, host component.Host) error {
	proxies, err := parsePrefixes(r.config.TrustedProxies)
	if err != nil {
		return err
	}
	r.translation = translate.Settings{
		Logs: r.logs != nil, Metrics: r.metrics != nil, Spans: r.traces != nil && r.config.Spans.Enabled,
		TrustedProxies: proxies, Labels: r.config.Limits.Labels, Version: r.settings.BuildInfo.Version,
	}
	r.partitions = partitionKeys(r.config.Batch.Partitions)
	r.gatherers = newGatherers(r)
	r.translators.New = func() any { return translate.NewTranslator(&r.translation, r.config.Batch.Reuse) }
	if r.psk, err = newPSKVerifier(&r.config.PSK, r.logger); err != nil {
		return err
	}
	if r.registry, err = findRegistry(r.config.Registry, host); err != nil {
		return err
	}
	if r.server, err = r.newServer(ctx, host); err != nil {
		return err
	}
	listener, err := r.config.NetAddr.Listen(ctx)
	if err != nil {
		return fmt.Errorf("listen for agents: %w", err)
	}
	r.listener, r.address = listener, listener.Addr()
	r.serving.Go(func() { r.serve(listener, host) })
	r.serving.Go(r.closeIdleStreams)
	r.logger.Info("Listening for agents", zap.Stringer("address", r.address), zap.Bool("psk", r.psk != nil))
	return nil
}

func (r *avikaReceiver) serve(listener net.Listener, host component.Host) {
	err := r.server.Serve(listener)
	select {
	case <-r.draining: // the listener is closed first
		return
	default:
	}
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("serve agents: %w", err)))
	}
}

func findRegistry(id *component.ID, host component.Host) (agentsession.Registry, error) {
	if id == nil {
		return nil, nil
	}
	extension, ok := host.GetExtensions()[*id]
	if !ok {
		return nil, fmt.Errorf("registry: extension %q is not among the service's extensions", id)
	}
	registry, ok := extension.(agentsession.Registry)
	if !ok {
		return nil, fmt.Errorf("registry: extension %q is no registry of agents", id)
	}
	return registry, nil
}

// shutdown takes no new connections, drains the streams, tells agents to go elsewhere, and hands on what they have sent, all within the
// configured time.
func (r *avikaReceiver) shutdown(ctx context.Context) error {
	defer r.telemetry.builder.Shutdown()
	defer r.endLife()
	close(r.draining)
	if r.listener == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.ShutdownTimeout)
	defer cancel()
	r.waiting.giveUp()
	_ = r.listener.Close() // it was open
	r.waitForStreams(ctx)
	r.serving.Go(r.server.GracefulStop)
	if waitFor(ctx, r.serving.Wait, r.work.Wait) {
		return nil
	}
	r.endLife()
	r.server.Stop()
	late, cancelLate := context.WithTimeout(context.WithoutCancel(ctx), lateTime)
	defer cancelLate()
	if !waitFor(late, r.serving.Wait, r.work.Wait) {
		return errors.New("the pipeline did not let go of a batch in time")
	}
	return nil
}

// waitForStreams waits for the streams that are there. gRPC tells its clients to close their connections when it stops gracefully, which they do
// at once when their streams have ended: then everything has to be here.
func (r *avikaReceiver) waitForStreams(ctx context.Context) {
	select {
	case <-r.streams.none():
	case <-ctx.Done():
	}
}

// lateTime is how long consumers get to notice that their context has ended.
const lateTime = 2 * time.Second

// waitFor reports whether the waits were over before ctx.
func waitFor(ctx context.Context, waits ...func()) bool {
	done := make(chan struct{})
	go func() {
		for _, wait := range waits {
			wait()
		}
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
