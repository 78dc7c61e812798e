package agentregistry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/agentservice"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/embedded"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/measured"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/postgres"
)

// registry is the extension.
type registry struct {
	config   *Config
	settings extension.Settings
	build    build
	started  time.Time
	memory   memory
	messages messageRate

	store     *measured.Store
	fleet     *fleet.Fleet
	telemetry *metadata.TelemetryBuilder
	server    *http.Server
	address   net.Addr
	serving   sync.WaitGroup
	running   bool
	// receiving says that the receivers take data.
	receiving atomic.Bool
	stopping  chan struct{}
	stop      sync.Once
	// closePeers ends idle connections to other gateways.
	closePeers func()
}

var (
	_ extension.Extension                   = (*registry)(nil)
	_ extensioncapabilities.Dependent       = (*registry)(nil)
	_ extensioncapabilities.PipelineWatcher = (*registry)(nil)
	_ agentsession.Registry                 = (*registry)(nil)
)

func newRegistry(set extension.Settings, config *Config) (*registry, error) {
	return &registry{config: config, settings: set, build: buildOf(set.BuildInfo), started: time.Now(), stopping: make(chan struct{})}, nil
}

// Dependencies implements extensioncapabilities.Dependent: storage and authentication start before.
func (r *registry) Dependencies() []component.ID {
	var ids []component.ID
	if r.config.Storage != nil {
		ids = append(ids, *r.config.Storage)
	}
	if auth := r.config.HTTP.Auth.Get(); auth != nil {
		ids = append(ids, auth.AuthenticatorID)
	}
	return ids
}

// Ready implements extensioncapabilities.PipelineWatcher: the receivers take data, and /ready says so.
func (r *registry) Ready() error {
	r.receiving.Store(true)
	return nil
}

// NotReady implements extensioncapabilities.PipelineWatcher: load balancers are told before the receivers stop.
func (r *registry) NotReady() error {
	r.receiving.Store(false)
	return nil
}

// Start implements component.Component. It needs no server to be up.
func (r *registry) Start(ctx context.Context, host component.Host) error {
	listener, err := r.config.HTTP.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", r.config.HTTP.NetAddr.Endpoint, err)
	}
	if err := r.start(ctx, host, listener); err != nil {
		return errors.Join(err, listener.Close())
	}
	return nil
}

func (r *registry) start(ctx context.Context, host component.Host, listener net.Listener) error {
	backend, name, err := r.openStore(ctx, host)
	if err != nil {
		return err
	}
	r.store = measured.New(backend)
	settings, err := r.fleetSettings(listener)
	if err == nil {
		r.fleet = fleet.New(settings, r.store, r.settings.Logger, r.reportTo(host), r.load)
		err = errors.Join(r.createTelemetry(), r.createServer(ctx, host, settings.GatewayID, name))
	}
	if err != nil {
		if r.telemetry != nil {
			r.telemetry.Shutdown()
		}
		return errors.Join(err, backend.Close(ctx))
	}
	r.address, r.running = listener.Addr(), true
	r.fleet.Start()
	r.serve(host, listener)
	r.settings.Logger.Info("agent registry serves", zap.Stringer("address", listener.Addr()),
		zap.String("gateway_id", settings.GatewayID), zap.String("backend", name))
	return nil
}

func (r *registry) createTelemetry() (err error) {
	if r.telemetry, err = metadata.NewTelemetryBuilder(r.settings.TelemetrySettings); err != nil {
		return fmt.Errorf("create metrics: %w", err)
	}
	if err := r.observe(r.telemetry); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

// openStore chooses the backend.
func (r *registry) openStore(ctx context.Context, host component.Host) (store.Store, string, error) {
	if c := &r.config.PostgreSQL; c.DSN != "" {
		backend, err := postgres.Open(postgres.Settings{
			DSN: string(c.DSN), MaxConns: c.MaxConns, ConnectTimeout: c.ConnectTimeout, QueryTimeout: c.QueryTimeout, Listen: c.Listen,
		})
		return backend, "postgresql", err
	}
	client, err := r.storageClient(ctx, host)
	if err != nil {
		return nil, "", err
	}
	backend, err := embedded.Open(ctx, client, func(err error) {
		r.settings.Logger.Warn("the registry is not on disk yet, trying again", zap.Error(err))
	})
	if err != nil {
		return nil, "", err
	}
	return backend, "embedded", nil
}

// storageClient is nil when nothing is kept.
func (r *registry) storageClient(ctx context.Context, host component.Host) (storage.Client, error) {
	id := r.config.Storage
	if id == nil {
		return nil, nil //nolint:nilnil // no storage is a choice
	}
	extension, declared := host.GetExtensions()[*id]
	if !declared {
		return nil, fmt.Errorf("storage %q is not among the extensions of the service", id)
	}
	keeper, is := extension.(storage.Extension)
	if !is {
		return nil, fmt.Errorf("storage %q is not a storage extension", id)
	}
	client, err := keeper.GetClient(ctx, component.KindExtension, r.settings.ID, "registry")
	if err != nil {
		return nil, fmt.Errorf("open storage %q: %w", id, err)
	}
	return client, nil
}

func (r *registry) fleetSettings(listener net.Listener) (fleet.Settings, error) {
	c := r.config
	settings := fleet.Settings{
		GatewayID: c.GatewayID, Address: c.Advertise, Version: r.build.version, RequireApproval: c.Enrolment == enrolmentApproval, MaxAgents: c.MaxAgents,
		Lease: c.Lease.Duration, Renew: c.Lease.RenewInterval, FlushInterval: c.FlushInterval, SweepInterval: sweepInterval,
		Clock: c.clock, OperationTimeout: c.PostgreSQL.QueryTimeout, CommandExpiry: c.Commands.Expiry,
		Policy: store.SweepPolicy{
			AgentRetention: c.Retention.Agents, HistoryRetention: c.Retention.History, HistoryPerAgent: c.Retention.HistoryPerAgent,
			Confirm: c.Commands.ConfirmTimeout, ConfirmUpdate: c.Commands.UpdateTimeout,
		},
	}
	if c.PostgreSQL.DSN != "" && !c.PostgreSQL.Listen {
		settings.Poll = c.PostgreSQL.PollInterval
	}
	if settings.GatewayID == "" {
		name, err := os.Hostname()
		if err != nil {
			return settings, fmt.Errorf("name the gateway: %w; set gateway_id", err)
		}
		settings.GatewayID = name
	}
	if settings.Address == "" {
		settings.Address = advertised(listener.Addr(), c.HTTP.TLS.HasValue())
	}
	return settings, nil
}

const sweepInterval = 5 * time.Second

// reportTo tells the collector when the database comes and goes. Losing it is recoverable: agents are served without it.
func (r *registry) reportTo(host component.Host) func(fleet.Database) {
	return func(d fleet.Database) {
		switch d.State {
		case fleet.Connected:
			r.settings.Logger.Info("the registry's database is connected")
			componentstatus.ReportStatus(host, componentstatus.NewEvent(componentstatus.StatusOK))
		default:
			r.settings.Logger.Warn("the registry's database is not available; agents stay connected", zap.Error(d.Err))
			componentstatus.ReportStatus(host, componentstatus.NewRecoverableErrorEvent(d.Err))
		}
	}
}

func (r *registry) load() store.Load {
	return store.Load{
		Agents: r.fleet.LocalAgents(), MessagesPerSecond: r.messages.since(r.fleet.Messages()),
		Goroutines: goroutines(), MemoryBytes: int64(r.memory.stats().Alloc),
	}
}

// Shutdown implements component.Component.
func (r *registry) Shutdown(ctx context.Context) error {
	if !r.running {
		return nil
	}
	var errs []error
	r.stop.Do(func() {
		close(r.stopping)
		errs = append(errs, r.fleet.Shutdown(ctx), r.server.Shutdown(ctx))
		r.serving.Wait()
		r.closePeers()
		r.telemetry.Shutdown()
		errs = append(errs, r.store.Close(ctx))
	})
	return errors.Join(errs...)
}

// Open implements agentsession.Registry.
func (r *registry) Open(ctx context.Context, peer agentsession.Peer) (agentsession.Session, error) {
	return r.fleet.Open(ctx, peer)
}

// RegisterServices implements agentsession.Registry.
func (r *registry) RegisterServices(server grpc.ServiceRegistrar) {
	agentservice.Register(server, r.fleet, r.build.version, r.config.Control)
}
