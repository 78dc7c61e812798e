package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/internal/agentid"
)

func (a *server) history(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, err := number(query, "limit", defaultPage, 1, maxPage)
	if err != nil {
		return err
	}
	before := int64(0)
	if text := query.Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return badRequest("before " + strconv.Quote(text) + " is not the id of an event")
		}
	}
	events, err := a.store.History(r.Context(), agentID(r), limit, before)
	if err != nil {
		return err
	}
	body := struct {
		Events     []store.Event `json:"events"`
		NextBefore *int64        `json:"next_before"`
	}{Events: some(events)}
	for i := range events {
		events[i].At = events[i].At.UTC()
	}
	if len(events) == limit {
		body.NextBefore = &events[limit-1].ID
	}
	return writeJSON(w, http.StatusOK, body)
}

type gatewayBody struct {
	ID                string    `json:"id"`
	Incarnation       int64     `json:"incarnation"`
	Address           string    `json:"address"`
	Version           string    `json:"version"`
	State             string    `json:"state"`
	StartedAt         time.Time `json:"started_at"`
	LeaseSeconds      float64   `json:"lease_seconds"`
	Agents            int       `json:"agents"`
	MessagesPerSecond float64   `json:"messages_per_second"`
	Goroutines        int       `json:"goroutines"`
	MemoryBytes       int64     `json:"memory_bytes"`
	Self              bool      `json:"self"`
}

type gatewayList struct {
	Gateways []gatewayBody `json:"gateways"`
}

func (a *server) listGateways(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, a.gatewayList(a.fleet.Gateways()))
}

func (a *server) gatewayList(gateways []store.Gateway) gatewayList {
	list := gatewayList{Gateways: make([]gatewayBody, 0, len(gateways))}
	self := a.fleet.Incarnation()
	for _, g := range gateways {
		body := gatewayBody{
			ID: g.ID, Incarnation: g.Incarnation, Address: g.Address, Version: g.Version, State: "lost", StartedAt: g.StartedAt.UTC(),
			Agents: g.Load.Agents, MessagesPerSecond: g.Load.MessagesPerSecond, Goroutines: g.Load.Goroutines, MemoryBytes: g.Load.MemoryBytes,
			Self: g.Incarnation == self,
		}
		if g.LeaseLeft > 0 {
			body.State, body.LeaseSeconds = "live", float64(g.LeaseLeft.Milliseconds())/1000
		}
		list.Gateways = append(list.Gateways, body)
	}
	return list
}

type driftedAgent struct {
	ID         string       `json:"id"`
	Hostname   string       `json:"hostname"`
	Status     string       `json:"status"`
	Baseline   string       `json:"baseline"`
	ConfigHash string       `json:"config_hash"`
	Files      []difference `json:"files"`
}

type difference struct {
	Kind     string `json:"kind"`
	Path     string `json:"path"`
	Change   string `json:"change"`
	Expected string `json:"expected"`
	Actual   string `json:"actual"`
}

func (a *server) listDrift(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	labels, err := parseLabels(query["label"])
	if err != nil {
		return err
	}
	page, err := parsePage(query, maxPage)
	if err != nil {
		return err
	}
	agents, total := a.fleet.List(fleet.Filter{Drift: fleet.Drifted, Labels: labels, Baseline: query.Get("baseline")}, page)
	explained, err := a.fleet.Explain(r.Context(), agents)
	if err != nil {
		return err
	}
	body := struct {
		Agents []driftedAgent `json:"agents"`
		Total  int            `json:"total"`
		Limit  int            `json:"limit"`
		Offset int            `json:"offset"`
	}{Agents: make([]driftedAgent, 0, len(agents)), Total: total, Limit: page.Limit, Offset: page.Offset}
	for i := range agents {
		body.Agents = append(body.Agents, drifted(&agents[i], explained[agents[i].ID]))
	}
	return writeJSON(w, http.StatusOK, body)
}

func drifted(s *fleet.State, found []fleet.Difference) driftedAgent {
	return driftedAgent{
		ID: s.ID, Hostname: s.Facts.Hostname, Status: statusOf(s.Online), Baseline: s.Baseline, ConfigHash: s.Agent.Config.Hash,
		Files: differences(found),
	}
}

func differences(found []fleet.Difference) []difference {
	out := make([]difference, len(found))
	for i, d := range found {
		out[i] = difference(d)
	}
	return out
}

type baselineBody struct {
	Name      string            `json:"name"`
	Agent     string            `json:"agent"`
	Labels    map[string]string `json:"labels"`
	Reference string            `json:"reference"`
	Files     []baselineFile    `json:"files"`
	CreatedBy string            `json:"created_by"`
	CreatedAt time.Time         `json:"created_at"`
	Agents    int               `json:"agents"`
	Drifted   int               `json:"drifted"`
}

type baselineFile struct {
	Kind string `json:"kind"`
	Path string `json:"path"`
	Hash string `json:"hash"`
}

func (a *server) baseline(b *store.Baseline) baselineBody {
	body := baselineBody{
		Name: b.Name, Agent: b.AgentID, Labels: b.Labels, Reference: b.Reference, Files: make([]baselineFile, 0, len(b.Files)),
		CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt.UTC(),
	}
	if body.Labels == nil {
		body.Labels = map[string]string{}
	}
	for _, f := range b.Files {
		body.Files = append(body.Files, baselineFile{f.Kind, f.Path, f.Hash})
	}
	body.Agents, body.Drifted = a.fleet.CountBaseline(b.Name)
	return body
}

func (a *server) listBaselines(w http.ResponseWriter, _ *http.Request) error {
	baselines := []baselineBody{}
	for _, b := range a.fleet.Baselines() {
		baselines = append(baselines, a.baseline(&b))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"baselines": baselines})
}

func (a *server) getBaseline(w http.ResponseWriter, r *http.Request) error {
	b, err := a.store.Baseline(r.Context(), r.PathValue("baseline"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a.baseline(&b))
}

func (a *server) deleteBaseline(w http.ResponseWriter, r *http.Request) error {
	if err := a.store.DeleteBaseline(r.Context(), r.PathValue("baseline"), actor(r)); err != nil {
		return err
	}
	a.fleet.Refresh()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type baselineRequest struct {
	Agent     string            `json:"agent"`
	Labels    map[string]string `json:"labels"`
	Reference string            `json:"reference"`
	Record    string            `json:"record"`
	Files     []baselineFile    `json:"files"`
}

func (a *server) putBaseline(w http.ResponseWriter, r *http.Request) error {
	var request baselineRequest
	if err := readJSON(r, &request, false); err != nil {
		return err
	}
	b, err := a.baselineOf(r, &request)
	if err != nil {
		return err
	}
	if b, err = a.store.PutBaseline(r.Context(), b); err != nil {
		return err
	}
	a.fleet.Refresh()
	return writeJSON(w, http.StatusOK, a.baseline(&b))
}

const maxBaselineFiles = 10_000

func (a *server) baselineOf(r *http.Request, request *baselineRequest) (store.Baseline, error) {
	b := store.Baseline{
		Name: r.PathValue("baseline"), AgentID: agentid.Canonical(request.Agent), Labels: request.Labels,
		Reference: agentid.Canonical(request.Reference), CreatedBy: actor(r),
	}
	given := 0
	for _, is := range []bool{request.Reference != "", request.Record != "", len(request.Files) > 0} {
		if is {
			given++
		}
	}
	if given != 1 || request.Agent != "" && len(request.Labels) > 0 || len(b.Name) > maxKey || len(request.Files) > maxBaselineFiles {
		return b, badRequest("a baseline has a name of at most 128 bytes, is for an agent or for labels, and is one of reference, record and files")
	}
	if err := storable(append(labelTexts(request.Labels), b.Name, b.AgentID, b.Reference)...); err != nil {
		return b, err
	}
	return b, a.baselineFiles(r, request, &b)
}

func (a *server) baselineFiles(r *http.Request, request *baselineRequest, b *store.Baseline) error {
	if id := agentid.Canonical(request.Record); id != "" {
		configs, err := a.store.Configs(r.Context(), []string{id})
		if err != nil {
			return err
		}
		config, ok := configs[id]
		if !ok {
			return newProblem(http.StatusConflict, "no-configuration", fmt.Sprintf("agent %q is not known or has not sent its configuration hashes", id))
		}
		b.Files = config.Files
	}
	for _, f := range request.Files {
		if err := oneOf("kind", f.Kind, "main", "site", "include", "maintenance"); err != nil {
			return err
		}
		if err := storable(f.Path, f.Hash); err != nil {
			return err
		}
		b.Files = append(b.Files, store.File{Kind: f.Kind, Path: f.Path, Hash: f.Hash})
	}
	b.Digest = fleet.Digest(b.Files)
	return nil
}

func labelTexts(labels map[string]string) []string {
	var texts []string
	for key, value := range labels {
		texts = append(texts, key, value)
	}
	return texts
}
