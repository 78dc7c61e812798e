package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// keepAlive is the longest silence of an event stream.
const keepAlive = 15 * time.Second

// stream writes server-sent events. A client that does not read for keepAlive is cut.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // an NGINX in front passes events on at once
	return &stream{w: w, control: http.NewResponseController(w)}
}

func (s *stream) send(event string, data any) error {
	encoded, err := json.Marshal(data) // one line: JSON has no raw line breaks
	if err != nil {
		return fmt.Errorf("encode event %q: %w", event, err)
	}
	return s.write("event: " + event + "\ndata: " + string(encoded) + "\n\n")
}

func (s *stream) write(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(keepAlive)); err != nil {
		return gone(err)
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return gone(err)
	}
	return gone(s.control.Flush())
}

func (a *server) events(w http.ResponseWriter, r *http.Request) error {
	activity := r.URL.Query().Get("activity")
	if err := oneOf("activity", activity, "", "true", "false"); err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		newStream(w) // its headers are the answer
		return nil
	}
	watcher := a.fleet.Watch()
	defer watcher.Close()
	s := newStream(w)
	if err := s.send("hello", a.currentStatus(r)); err != nil {
		return err
	}
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return errGone
		case <-a.stopping:
			return errGone
		case <-ticker.C:
			err = s.write(": still here\n\n")
		case event, open := <-watcher.Events():
			if !open {
				return errGone
			}
			err = a.sendEvent(s, event, activity != "false")
		}
		if err != nil {
			return err
		}
	}
}

func (a *server) sendEvent(s *stream, event any, activity bool) error {
	switch event := event.(type) {
	case fleet.ChangedAgents:
		return s.send("agents", map[string]any{"agents": summaries(event)})
	case fleet.RemovedAgents:
		return s.send("removed", map[string]any{"ids": []string(event)})
	case fleet.ActiveAgents:
		if activity {
			return s.send("activity", map[string]any{"agents": activityRows(event)})
		}
	case fleet.ChangedGateways:
		return s.send("gateways", a.gatewayList(event))
	case store.Command:
		return s.send("command", commandOf(&event))
	case fleet.Database:
		return s.send("database", a.database())
	case fleet.Missed:
		return s.send("reset", struct{}{})
	}
	return nil
}

func activityRows(states []fleet.State) [][3]any {
	rows := make([][3]any, len(states))
	for i := range states {
		rows[i] = [3]any{states[i].ID, states[i].Live.LastSeen.Unix(), nil}
		if rate, ok := states[i].Rate(); ok {
			rows[i][2] = rate
		}
	}
	return rows
}
