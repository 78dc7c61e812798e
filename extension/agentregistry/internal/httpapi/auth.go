package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"go.opentelemetry.io/collector/client"
)

// Values of the control setting.
const (
	ControlAuth = "auth"
	ControlOpen = "open"
	ControlOff  = "off"
)

// authenticated lets only requests with good credentials pass, when authentication is configured.
func (a *server) authenticated(h handler) http.Handler {
	next := a.serve(h)
	if a.settings.Authenticate == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := a.settings.Authenticate(r.Context(), r.Header)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="avika"`)
			a.writeProblem(w, r, newProblem(http.StatusUnauthorized, "unauthenticated", "send the credentials that the gateway's http.auth asks for"))
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// controlled lets requests pass only where control is on and no foreign web page is behind them.
func (a *server) controlled(h handler) handler {
	protection := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) error {
		if reason := a.refusal(r); reason != "" {
			return newProblem(http.StatusForbidden, "control-disabled", reason)
		}
		// A log tail is a GET that reaches the agent.
		foreign := r.Header.Get("Sec-Fetch-Site") != "" && r.Header.Get("Sec-Fetch-Site") != "same-origin" && r.Header.Get("Sec-Fetch-Site") != "none"
		if err := protection.Check(r); err != nil || foreign {
			return newProblem(http.StatusForbidden, "cross-origin", "a page of another origin must not control the fleet")
		}
		return h(w, r)
	}
}

// refusal says why control is off and what to do; empty when it is on.
func (a *server) refusal(r *http.Request) string {
	switch {
	case a.settings.Control == ControlOff:
		return "this gateway is read-only: `control` of the agent_registry extension is `off`"
	case a.settings.Control == ControlOpen && a.settings.Authenticate == nil && !addressed(r.Host):
		return fmt.Sprintf("with `control: open` and without authentication, use localhost or an IP address instead of %q, so that no foreign name can point here", r.Host)
	case a.settings.Control == ControlAuth && a.settings.Authenticate == nil:
		return "this gateway is read-only because nobody has to say who they are: configure `http.auth` of the agent_registry extension, " +
			"or set `control: open` where everybody who reaches the port may control the agents"
	}
	return ""
}

// addressed says that the host is localhost or an address, which no DNS answer can turn to another machine.
func addressed(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost"
}

// actor is who asks, for the audit trail.
func actor(r *http.Request) string {
	info := client.FromContext(r.Context())
	if info.Auth != nil {
		for _, name := range []string{"subject", "username", "user", "sub"} {
			if value, ok := info.Auth.GetAttribute(name).(string); ok && value != "" {
				return value
			}
		}
		return "authenticated"
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "anonymous at " + host
}
