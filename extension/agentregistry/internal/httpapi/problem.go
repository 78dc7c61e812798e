package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// problem is an RFC 9457 document, and an error of a handler.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance,omitempty"`
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

// problemType is the prefix of the problems that clients may want to tell from others.
const problemType = "urn:avika:problem:"

func newProblem(status int, kind, detail string) *problem {
	p := &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
	if kind != "" {
		p.Type = problemType + kind
	}
	return p
}

func badRequest(detail string) error { return newProblem(http.StatusBadRequest, "", detail) }

func (a *server) unknown(r *http.Request) error {
	return newProblem(http.StatusNotFound, "", "there is no "+r.Method+" "+r.URL.Path+"; /api/v1/openapi.yaml lists what there is")
}

// errGone says that the client went away: nothing is left to answer.
var errGone = errors.New("client is gone")

func gone(err error) error {
	if err != nil {
		return errors.Join(errGone, err)
	}
	return nil
}

// serve answers with the handler's problem, if it has one.
func (a *server) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil && !errors.Is(err, errGone) {
			a.writeProblem(w, r, err)
		}
	})
}

func (a *server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, store.ErrNotFound):
		p = newProblem(http.StatusNotFound, "", "there is no such thing: "+r.URL.Path)
	case errors.Is(err, store.ErrUnavailable):
		p = newProblem(http.StatusServiceUnavailable, "database-unavailable",
			"the registry's database is not available; agents stay connected and their data flows. Try again later.")
	default:
		a.logger.Error("request failed", zap.String("path", r.URL.Path), zap.Error(err))
		p = newProblem(http.StatusInternalServerError, "", "the gateway's log says why")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone
}

func writeJSON(w http.ResponseWriter, code int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	return gone(json.NewEncoder(w).Encode(value))
}
