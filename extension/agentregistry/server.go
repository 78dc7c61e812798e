package agentregistry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleetpage"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/httpapi"
)

// createServer builds the HTTP interface.
func (r *registry) createServer(ctx context.Context, host component.Host, gatewayID, backend string) error {
	settings := httpapi.Settings{
		GatewayID: gatewayID, Version: r.build.version, Commit: r.build.commit, BuildDate: r.build.date, Backend: backend,
		Enrolment: r.config.Enrolment, Started: r.started, Control: r.config.Control,
		Ready: r.receiving.Load,
	}
	if auth := r.config.HTTP.Auth.Get(); auth != nil {
		authenticator, err := auth.GetServerAuthenticator(ctx, host.GetExtensions())
		if err != nil {
			return fmt.Errorf("http.auth: %w", err)
		}
		settings.Authenticate = authenticator.Authenticate
	}
	peers, err := r.peerClient(ctx)
	if err != nil {
		return err
	}
	settings.Peers = peers
	if settings.Page, err = fleetpage.Handler(); err != nil {
		return err
	}
	handler := httpapi.New(settings, r.fleet, r.store, r.settings.Logger, r.stopping)
	// Authentication is in the handler, which knows what probes and the page's files do not need it for.
	server := r.config.HTTP
	server.Auth = configoptional.None[confighttp.AuthConfig]()
	if r.server, err = server.ToServer(ctx, host.GetExtensions(), r.settings.TelemetrySettings, handler); err != nil {
		return fmt.Errorf("create the HTTP server: %w", err)
	}
	return nil
}

func (r *registry) peerClient(ctx context.Context) (*http.Client, error) {
	tls, err := r.config.Peers.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tls
	transport.Proxy = nil
	transport.ResponseHeaderTimeout = 10 * time.Second
	r.closePeers = transport.CloseIdleConnections
	return &http.Client{Transport: transport}, nil
}

func (r *registry) serve(host component.Host, listener net.Listener) {
	r.serving.Go(func() {
		if err := r.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
}
