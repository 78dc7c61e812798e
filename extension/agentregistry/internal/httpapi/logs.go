package httpapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// viaHeader marks a request that one gateway passed on to another, which must not pass it on again.
const viaHeader = "Avika-Via"

const (
	// firstLine is how long a tail that does not follow waits for its first line: the warm-up, and the agent.
	firstLine = 12 * time.Second
	// lastLine is the silence after which such a tail is complete.
	lastLine = 2 * time.Second
)

type tailRequest struct {
	kind   string
	lines  int
	follow bool
}

func parseTail(query url.Values) (tailRequest, error) {
	request := tailRequest{kind: query.Get("type"), follow: query.Get("follow") != "false"}
	if request.kind == "" {
		request.kind = "access"
	}
	lines, err := number(query, "lines", 20, 0, maxTail)
	request.lines = lines
	return request, errors.Join(err, oneOf("type", request.kind, "access", "error"), oneOf("follow", query.Get("follow"), "", "true", "false"))
}

func (a *server) tailLog(w http.ResponseWriter, r *http.Request) error {
	request, err := parseTail(r.URL.Query())
	if err != nil {
		return err
	}
	gateway, address, local, online := a.fleet.GatewayAddress(agentID(r))
	switch {
	case !online:
		return newProblem(http.StatusConflict, "offline", "the agent is not connected, so there is no log to read")
	case r.Method == http.MethodHead:
		newStream(w) // its headers are the answer: nobody would read the lines that the agent is asked for
		return nil
	case local:
		return a.tailHere(w, r, request)
	case r.Header.Get(viaHeader) != "":
		return newProblem(http.StatusConflict, "moved", "the agent is not connected here any more")
	}
	return a.tailThere(w, r, gateway, address)
}

// tailHere serves an agent whose stream ends at this gateway.
func (a *server) tailHere(w http.ResponseWriter, r *http.Request, request tailRequest) error {
	by := actor(r)
	if via := r.Header.Get(viaHeader); via != "" {
		by += " through " + clip(via)
	}
	reader, err := a.fleet.Tail(r.Context(), store.Command{
		ID: rand.Text(), AgentID: agentID(r), Type: store.TypeLogRequest, RequestedBy: by, ExpiresIn: firstLine,
		Parameters: store.Parameters{LogType: request.kind, TailLines: int32(request.lines), Follow: request.follow}, //nolint:gosec // at most maxTail
	})
	if err != nil {
		return err
	}
	defer reader.Close()
	s := newStream(w)
	if err := s.send("open", map[string]any{"gateway": a.settings.GatewayID, "follow": request.follow}); err != nil {
		return err
	}
	return a.passLines(s, r, reader, request)
}

func (a *server) passLines(s *stream, r *http.Request, reader *fleet.Reader, request tailRequest) error {
	silence := time.NewTimer(firstLine)
	defer silence.Stop()
	ping := time.NewTicker(keepAlive / 2)
	defer ping.Stop()
	for sent := 0; ; {
		var err error
		select {
		case <-r.Context().Done():
			return errGone
		case <-a.stopping:
			return s.send("end", map[string]any{"reason": "shutdown"})
		case <-silence.C:
			if !request.follow {
				return s.send("end", map[string]any{"reason": "complete"})
			}
		case <-ping.C:
			err = s.write(": still here\n\n")
		case line, open := <-reader.Lines():
			if !open {
				return s.send("end", map[string]any{"reason": "agent_gone"})
			}
			if err = sendLine(s, reader, line); err != nil {
				return err
			}
			silence.Reset(lastLine)
			if sent++; !request.follow && sent >= request.lines {
				return s.send("end", map[string]any{"reason": "complete"})
			}
		}
		if err != nil {
			return err
		}
	}
}

func sendLine(s *stream, reader *fleet.Reader, line fleet.Line) error {
	if n := reader.Dropped(); n > 0 {
		if err := s.send("dropped", map[string]any{"count": n}); err != nil {
			return err
		}
	}
	return s.send("line", map[string]any{"at": line.At.UTC(), "type": line.Type, "content": line.Content})
}

// tailThere passes the events of the gateway that holds the agent on, with the asker's own credentials.
func (a *server) tailThere(w http.ResponseWriter, r *http.Request, gateway, address string) error {
	target := strings.TrimSuffix(address, "/") + r.URL.EscapedPath() + "?" + r.URL.RawQuery
	forward, err := http.NewRequestWithContext(r.Context(), http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("address gateway %q: %w", gateway, err)
	}
	forward.Header.Set(viaHeader, a.settings.GatewayID)
	for _, name := range []string{"Authorization", "Cookie"} {
		if value := r.Header.Get(name); value != "" {
			forward.Header.Set(name, value)
		}
	}
	answer, err := a.settings.Peers.Do(forward)
	if err != nil {
		return newProblem(http.StatusBadGateway, "gateway-unreachable",
			"gateway "+strconv.Quote(gateway)+" holds the agent and cannot be reached at "+address+"; check its `advertise` setting")
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
		w.WriteHeader(answer.StatusCode)
		_, err = io.Copy(w, io.LimitReader(answer.Body, 64<<10))
		return gone(err)
	}
	return a.pass(newStream(w), answer.Body)
}

func (a *server) pass(s *stream, body io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if err := s.write(string(buffer[:n])); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.send("end", map[string]any{"reason": "gateway_gone"})
		}
	}
}

// storable says whether every backend keeps these texts as they are.
func storable(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || len(text) > maxReason {
			return badRequest(fmt.Sprintf("%.40q is not UTF-8 without NUL of at most %d bytes", text, maxReason))
		}
	}
	return nil
}

func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxKey)], "") }
