package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/internal/agentid"
)

const (
	maxAgents   = 20_000
	maxPage     = 1000
	defaultPage = 100
	maxReason   = 1024
)

func agentID(r *http.Request) string { return agentid.Canonical(r.PathValue("agent")) }

func (a *server) listAgents(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	filter, err := parseFilter(query)
	if err != nil {
		return err
	}
	page, err := parsePage(query, maxAgents)
	if err != nil {
		return err
	}
	view := query.Get("view")
	if err := oneOf("view", view, "", "objects", "compact"); err != nil {
		return err
	}
	states, total := a.fleet.List(filter, page)
	list := listing{Total: total, Limit: page.Limit, Offset: page.Offset, Counts: a.counts(), Database: a.database()}
	found := summaries(states)
	if view != "compact" {
		return writeJSON(w, http.StatusOK, agentList{found, list})
	}
	rows := make([][]any, len(found))
	for i := range found {
		rows[i] = found[i].row()
	}
	return writeJSON(w, http.StatusOK, compactAgentList{compactColumns, rows, list})
}

func parseFilter(query url.Values) (fleet.Filter, error) {
	filter := fleet.Filter{
		Approval: store.Approval(query.Get("approval")), Drift: query.Get("drift"), Gateway: query.Get("gateway"), Text: query.Get("text"),
	}
	err := errors.Join(
		oneOf("status", query.Get("status"), "", "online", "offline"),
		oneOf("approval", query.Get("approval"), "", string(store.Approved), string(store.Pending), string(store.Revoked)),
		oneOf("drift", filter.Drift, "", fleet.NoBaseline, fleet.DriftUnknown, fleet.InSync, fleet.Drifted),
	)
	if err != nil {
		return filter, err
	}
	if status := query.Get("status"); status != "" {
		online := status == "online"
		filter.Online = &online
	}
	filter.Labels, err = parseLabels(query["label"])
	return filter, err
}

// parseLabels reads key=value, key!=value and key.
func parseLabels(values []string) ([]fleet.LabelFilter, error) {
	var labels []fleet.LabelFilter
	for _, text := range values {
		key, value, found := strings.Cut(text, "=")
		l := fleet.LabelFilter{Key: key, Value: value, Any: !found}
		if found {
			l.Key, l.Not = strings.CutSuffix(key, "!")
		}
		if l.Key == "" {
			return nil, badRequest("label " + strconv.Quote(text) + " has no key; write key=value, key!=value or key")
		}
		labels = append(labels, l)
	}
	return labels, nil
}

func parsePage(query url.Values, most int) (fleet.Page, error) {
	sort, descending := strings.CutPrefix(query.Get("sort"), "-")
	page := fleet.Page{Sort: sort, Descending: descending}
	if sort == "" {
		page.Sort = "id"
	}
	if !fleet.Sortable(page.Sort) {
		return page, badRequest("sort " + strconv.Quote(query.Get("sort")) + " is not known; openapi.yaml lists the names")
	}
	var err error
	if page.Limit, err = number(query, "limit", defaultPage, 1, most); err != nil {
		return page, err
	}
	page.Offset, err = number(query, "offset", 0, 0, 1<<31-1)
	return page, err
}

func number(query url.Values, name string, fallback, least, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest(name + " " + strconv.Quote(text) + " is not a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most))
	}
	return n, nil
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	allowed = slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	return badRequest(name + " " + strconv.Quote(value) + " is not one of " + strings.Join(allowed, ", "))
}

func (a *server) getAgent(w http.ResponseWriter, r *http.Request) error {
	body, err := a.agent(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, body)
}

// agent collects all that is known. What only the database knows is left out while it is away.
func (a *server) agent(r *http.Request) (*agentBody, error) {
	s, ok := a.fleet.Get(agentID(r))
	if !ok {
		return nil, newProblem(http.StatusNotFound, "", "there is no agent "+strconv.Quote(agentID(r)))
	}
	body := describe(&s)
	body.Commands, body.Differences = []commandBody{}, []difference{}
	if a.fleet.DatabaseState().State != fleet.Connected {
		return body, nil // nobody is kept waiting for what would not come
	}
	configs, err := a.store.Configs(r.Context(), []string{s.ID})
	if config, ok := configs[s.ID]; ok {
		body.Config = configOf(&config)
	}
	commands, failed := a.store.Commands(r.Context(), s.ID, 10)
	body.Commands = commandBodies(commands)
	differences, unexplained := a.differences(r, &s)
	body.Differences = differences
	for _, err := range []error{err, failed, unexplained} {
		if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return body, nil
}

// differences are the files in which an agent differs from its baseline.
func (a *server) differences(r *http.Request, s *fleet.State) ([]difference, error) {
	if s.Drift != fleet.Drifted {
		return []difference{}, nil
	}
	explained, err := a.fleet.Explain(r.Context(), []fleet.State{*s})
	return differences(explained[s.ID]), err
}

func describe(s *fleet.State) *agentBody {
	facts := &s.Facts
	body := &agentBody{
		agentSummary: summarize(s), PodIP: facts.PodIP, MgmtAddress: facts.MgmtAddress, MgmtCandidates: some(facts.MgmtCandidates),
		BuildDate: facts.BuildDate, GitCommit: facts.GitCommit, GitBranch: facts.GitBranch, Instances: some(facts.Instances),
		AgentStartedAt: unixMoment(facts.StartedAt), FirstSeen: s.FirstSeen.UTC(), LabelsTruncated: facts.LabelsTruncated,
	}
	if s.Online {
		body.Session = &sessionBody{Number: s.Live.Session, Gateway: s.Live.GatewayID, Address: s.Live.Address, OpenedAt: s.Live.OpenedAt.UTC()}
	}
	if d := s.Decision; d != nil {
		body.Decision = &decisionBody{By: d.By, At: d.At.UTC(), Reason: d.Reason}
	}
	if s.Baseline != "" {
		body.Baseline = &s.Baseline
	}
	return body
}

func (a *server) decide(approval store.Approval) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var request struct {
			Reason string `json:"reason"`
		}
		if err := readJSON(r, &request, true); err != nil {
			return err
		}
		if err := storable(request.Reason); err != nil {
			return err
		}
		decision := store.Decision{Approval: approval, By: actor(r), Reason: request.Reason}
		if err := a.fleet.Decide(r.Context(), agentID(r), decision); err != nil {
			return err
		}
		return a.getAgent(w, r)
	}
}

func (a *server) deleteAgent(w http.ResponseWriter, r *http.Request) error {
	if err := a.fleet.Remove(r.Context(), agentID(r), actor(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readJSON reads a request's body, strictly.
func readJSON(r *http.Request, into any, optional bool) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if errors.Is(err, io.EOF) && optional {
		return nil
	}
	if err == nil && decoder.Decode(&struct{}{}) != io.EOF {
		err = errors.New("there is more after the JSON object")
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return newProblem(http.StatusRequestEntityTooLarge, "", err.Error())
	}
	if err != nil {
		return badRequest("the body is not what openapi.yaml asks for: " + err.Error())
	}
	return nil
}
