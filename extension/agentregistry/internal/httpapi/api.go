// Package httpapi serves the fleet over HTTP as api/openapi.yaml says.
package httpapi

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/api"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// Settings are what the handlers need besides the fleet.
type Settings struct {
	GatewayID string
	Version   string
	Commit    string
	BuildDate string
	Backend   string
	Enrolment string
	Started   time.Time
	// Ready reports whether the receivers take data.
	Ready func() bool
	// Authenticate checks a request's credentials; nil when no authentication is configured.
	Authenticate func(ctx context.Context, headers map[string][]string) (context.Context, error)
	// Control is "auth", "open" or "off".
	Control string
	// Peers reaches other gateways.
	Peers *http.Client
	// Page serves what is not the API; nil for nothing.
	Page http.Handler
}

type server struct {
	settings Settings
	fleet    *fleet.Fleet
	store    store.Store
	logger   *zap.Logger
	stopping <-chan struct{}
}

// New returns the handler of the whole HTTP interface. Streams end when stopping is closed.
func New(settings Settings, f *fleet.Fleet, s store.Store, logger *zap.Logger, stopping <-chan struct{}) http.Handler {
	a := &server{settings: settings, fleet: f, store: s, logger: logger, stopping: stopping}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("GET /ready", a.ready)
	for pattern, handler := range a.reading() {
		mux.Handle(pattern, a.authenticated(handler))
	}
	for pattern, handler := range a.changing() {
		mux.Handle(pattern, a.authenticated(a.controlled(handler)))
	}
	mux.Handle("/api/", a.authenticated(func(_ http.ResponseWriter, r *http.Request) error { return a.unknown(r) }))
	if settings.Page != nil {
		mux.Handle("GET /{$}", settings.Page)
		mux.Handle("GET /assets/", settings.Page)
	}
	return secure(a.plain(mux))
}

// handler answers, or returns the problem to answer with.
type handler func(http.ResponseWriter, *http.Request) error

func (a *server) reading() map[string]handler {
	return map[string]handler{
		"GET /api/v1/openapi.yaml":            document,
		"GET /api/v1/status":                  a.status,
		"GET /api/v1/agents":                  a.listAgents,
		"GET /api/v1/agents/{agent}":          a.getAgent,
		"GET /api/v1/agents/{agent}/commands": a.listCommands,
		"GET /api/v1/agents/{agent}/history":  a.history,
		"GET /api/v1/commands/{command}":      a.getCommand,
		"GET /api/v1/history":                 a.history,
		"GET /api/v1/drift":                   a.listDrift,
		"GET /api/v1/baselines":               a.listBaselines,
		"GET /api/v1/baselines/{baseline}":    a.getBaseline,
		"GET /api/v1/gateways":                a.listGateways,
		"GET /api/v1/events":                  a.events,
	}
}

func (a *server) changing() map[string]handler {
	return map[string]handler{
		"DELETE /api/v1/agents/{agent}":        a.deleteAgent,
		"POST /api/v1/agents/{agent}/approve":  a.decide(store.Approved),
		"POST /api/v1/agents/{agent}/revoke":   a.decide(store.Revoked),
		"POST /api/v1/agents/{agent}/commands": a.postCommand,
		"GET /api/v1/agents/{agent}/logs":      a.tailLog,
		"PUT /api/v1/baselines/{baseline}":     a.putBaseline,
		"DELETE /api/v1/baselines/{baseline}":  a.deleteBaseline,
	}
}

// secure adds headers that keep a browser from doing anything with an answer but showing it.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// plain refuses paths that no id, name or file has, before they reach a database that does not take them.
func (a *server) plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := storable(r.URL.Path); err != nil {
			a.writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func document(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, err := w.Write(api.Document)
	return gone(err)
}

func (a *server) health(w http.ResponseWriter, _ *http.Request) {
	a.writeHealth(w, http.StatusOK, "ok")
}

func (a *server) ready(w http.ResponseWriter, _ *http.Request) {
	if !a.settings.Ready() {
		a.writeHealth(w, http.StatusServiceUnavailable, "not_ready")
		return
	}
	a.writeHealth(w, http.StatusOK, "ready")
}

func (a *server) writeHealth(w http.ResponseWriter, code int, status string) {
	db := a.database()
	db.Error = "" // probes need no authentication, and errors may name hosts
	_ = writeJSON(w, code, health{Status: status, Database: &db})
}

func (a *server) status(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, a.currentStatus(r))
}

func (a *server) currentStatus(r *http.Request) statusBody {
	s := &a.settings
	reason := a.refusal(r)
	return statusBody{
		GatewayID: s.GatewayID, Version: s.Version, Commit: s.Commit, BuildDate: s.BuildDate, StartedAt: s.Started.UTC(),
		Now: a.fleet.Now().UTC(), Database: a.database(), Counts: a.counts(), Enrolment: s.Enrolment,
		Control: control{Enabled: reason == "", Reason: reason}, RateInterval: fleet.RateInterval.Seconds(),
	}
}

func (a *server) database() database {
	d := a.fleet.DatabaseState()
	out := database{Backend: a.settings.Backend, State: string(d.State), Since: d.Since.UTC()}
	if d.Err != nil {
		out.Error = d.Err.Error()
	}
	return out
}

func (a *server) counts() counts {
	return counts(a.fleet.Count())
}
