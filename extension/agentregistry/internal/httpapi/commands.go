package httpapi

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

const (
	maxKey       = 128
	maxPushBytes = 1 << 20
	maxPushFiles = 100
	maxTail      = 1000
	maxExpiry    = 7 * 24 * 3600
)

type commandBody struct {
	ID          string         `json:"id"`
	AgentID     string         `json:"agent_id"`
	Type        string         `json:"type"`
	State       string         `json:"state"`
	RequestedBy string         `json:"requested_by"`
	RequestedAt time.Time      `json:"requested_at"`
	ExpiresAt   time.Time      `json:"expires_at"`
	SentAt      *time.Time     `json:"sent_at"`
	FinishedAt  *time.Time     `json:"finished_at"`
	Gateway     string         `json:"gateway"`
	Result      string         `json:"result"`
	Parameters  parametersBody `json:"parameters"`
}

type parametersBody struct {
	Version   string       `json:"version,omitempty"`
	URL       string       `json:"url,omitempty"`
	VersionID string       `json:"version_id,omitempty"`
	Files     []pushedFile `json:"files,omitempty"`
	LogType   string       `json:"log_type,omitempty"`
	TailLines int32        `json:"tail_lines,omitempty"`
	Follow    bool         `json:"follow,omitempty"`
}

type pushedFile struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

func commandOf(c *store.Command) commandBody {
	p := &c.Parameters
	parameters := parametersBody{
		Version: p.Version, URL: p.URL, VersionID: p.VersionID, LogType: p.LogType, TailLines: p.TailLines, Follow: p.Follow,
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		parameters.Files = append(parameters.Files, pushedFile{name, len(p.Files[name])})
	}
	return commandBody{
		ID: c.ID, AgentID: c.AgentID, Type: c.Type, State: string(c.State), RequestedBy: c.RequestedBy, RequestedAt: c.RequestedAt.UTC(),
		ExpiresAt: c.ExpiresAt.UTC(), SentAt: moment(c.SentAt), FinishedAt: moment(c.FinishedAt), Gateway: c.GatewayID, Result: c.Result,
		Parameters: parameters,
	}
}

func commandBodies(commands []store.Command) []commandBody {
	out := make([]commandBody, len(commands))
	for i := range commands {
		out[i] = commandOf(&commands[i])
	}
	return out
}

func (a *server) listCommands(w http.ResponseWriter, r *http.Request) error {
	limit, err := number(r.URL.Query(), "limit", defaultPage, 1, maxPage)
	if err != nil {
		return err
	}
	commands, err := a.store.Commands(r.Context(), agentID(r), limit)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"commands": commandBodies(commands)})
}

func (a *server) getCommand(w http.ResponseWriter, r *http.Request) error {
	c, err := a.store.Command(r.Context(), r.PathValue("command"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, commandOf(&c))
}

type commandRequest struct {
	Type      string `json:"type"`
	ExpiresIn *int   `json:"expires_in_seconds"`
	Update    *struct {
		Version string `json:"version"`
		URL     string `json:"url"`
	} `json:"update"`
	ConfigPush *struct {
		VersionID string            `json:"version_id"`
		Files     map[string]string `json:"files"`
	} `json:"config_push"`
	LogRequest *struct {
		LogType   string `json:"log_type"`
		TailLines int32  `json:"tail_lines"`
		Follow    bool   `json:"follow"`
	} `json:"log_request"`
}

func (a *server) postCommand(w http.ResponseWriter, r *http.Request) error {
	var request commandRequest
	if err := readJSON(r, &request, false); err != nil {
		return err
	}
	c, err := request.command()
	if err != nil {
		return err
	}
	c.ID, c.AgentID, c.RequestedBy, c.IdempotencyKey = rand.Text(), agentID(r), actor(r), r.Header.Get("Idempotency-Key")
	if err := a.mayCommand(&c); err != nil {
		return err
	}
	made, isNew, err := a.fleet.CreateCommand(r.Context(), c)
	if err != nil {
		return err
	}
	if !isNew && (made.Type != c.Type || !reflect.DeepEqual(made.Parameters, c.Parameters)) {
		return newProblem(http.StatusUnprocessableEntity, "idempotency-key-reused",
			"the Idempotency-Key belongs to command "+made.ID+", which asks for something else; choose another key")
	}
	if !isNew {
		return writeJSON(w, http.StatusOK, commandOf(&made))
	}
	w.Header().Set("Location", "/api/v1/commands/"+made.ID)
	return writeJSON(w, http.StatusAccepted, commandOf(&made))
}

func (a *server) mayCommand(c *store.Command) error {
	if len(c.IdempotencyKey) > maxKey || !utf8.ValidString(c.IdempotencyKey) {
		return badRequest(fmt.Sprintf("Idempotency-Key is longer than %d bytes or not UTF-8", maxKey))
	}
	if err := storable(c.Parameters.Version, c.Parameters.URL); err != nil {
		return err
	}
	s, ok := a.fleet.Get(c.AgentID)
	if !ok {
		return newProblem(http.StatusNotFound, "", "there is no agent "+strconv.Quote(c.AgentID))
	}
	if s.Approval != store.Approved {
		return newProblem(http.StatusConflict, "not-approved", "the agent is "+string(s.Approval)+": approve it first")
	}
	return nil
}

// command checks the request and turns it into a command without an id.
func (request *commandRequest) command() (store.Command, error) {
	c := store.Command{Type: request.Type}
	if e := request.ExpiresIn; e != nil {
		if *e < 1 || *e > maxExpiry {
			return c, badRequest(fmt.Sprintf("expires_in_seconds %d is not from 1 to %d", *e, maxExpiry))
		}
		c.ExpiresIn = time.Duration(*e) * time.Second
	}
	if err := oneOf("type", c.Type, store.TypeReload, store.TypeRestart, store.TypeUpdate, store.TypeConfigPush, store.TypeLogRequest); err != nil {
		return c, err
	}
	for part, given := range map[string]bool{
		store.TypeUpdate: request.Update != nil, store.TypeConfigPush: request.ConfigPush != nil, store.TypeLogRequest: request.LogRequest != nil,
	} {
		if given != (part == c.Type) {
			return c, badRequest(fmt.Sprintf("a command of type %q and the member %q do not belong together, or the member is missing", c.Type, part))
		}
	}
	return c, request.parameters(&c.Parameters)
}

func (request *commandRequest) parameters(p *store.Parameters) error {
	switch request.Type {
	case store.TypeUpdate:
		p.Version, p.URL = request.Update.Version, request.Update.URL
		target, err := url.Parse(p.URL)
		if p.Version == "" || len(p.Version) > maxKey || err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
			return badRequest("update needs a version and an http or https url")
		}
	case store.TypeConfigPush:
		return request.push(p)
	case store.TypeLogRequest:
		l := request.LogRequest
		p.LogType, p.TailLines = l.LogType, l.TailLines
		if l.TailLines < 1 || l.TailLines > maxTail || l.Follow {
			return badRequest(fmt.Sprintf("log_request needs tail_lines from 1 to %d and no follow; GET .../logs follows", maxTail))
		}
		return oneOf("log_type", l.LogType, "access", "error")
	}
	return nil
}

func (request *commandRequest) push(p *store.Parameters) error {
	push := request.ConfigPush
	p.VersionID, p.Files = push.VersionID, make(map[string][]byte, len(push.Files))
	bytes := 0
	for name, content := range push.Files {
		bytes += len(content)
		p.Files[name] = []byte(content)
		if name == "" || len(name) > maxReason || strings.ContainsRune(name, 0) {
			return badRequest("config_push has a file without a proper name")
		}
	}
	if push.VersionID == "" || len(push.VersionID) > maxKey || strings.ContainsRune(push.VersionID, 0) || len(p.Files) == 0 || len(p.Files) > maxPushFiles || bytes > maxPushBytes {
		return badRequest(fmt.Sprintf("config_push needs a version_id, and 1 to %d files of together at most %d bytes", maxPushFiles, maxPushBytes))
	}
	return nil
}
