package fleet

import (
	"cmp"
	"context"
	"slices"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
)

// What an agent's configuration is, measured against its baseline.
const (
	NoBaseline   = "none"
	DriftUnknown = "unknown"
	InSync       = "in_sync"
	Drifted      = "drifted"
)

// drift compares an agent with the baseline that applies to it. The fleet's lock is held.
func (f *Fleet) drift(e *entry) (state, baseline string) {
	b := f.baselineFor(&e.agent)
	if b == nil {
		return NoBaseline, ""
	}
	digest := b.Digest
	if b.Reference != "" {
		digest = ""
		if reference, ok := f.entries[b.Reference]; ok {
			digest = reference.agent.Config.Digest
		}
	}
	switch {
	case digest == "" || e.agent.Config.Digest == "":
		return DriftUnknown, b.Name
	case digest == e.agent.Config.Digest:
		return InSync, b.Name
	}
	return Drifted, b.Name
}

// judgedAnew returns a function that, called after the changes are applied, finds the agents whose drift changed because a baseline
// did, or the agent that one refers to. The fleet's lock is held.
func (f *Fleet) judgedAnew(changes *store.Changes) func() []string {
	if !f.movesDrift(changes) {
		return func() []string { return nil }
	}
	before := make(map[string]string, len(f.entries))
	for id, e := range f.entries {
		before[id], _ = f.drift(e)
	}
	return func() []string {
		var changed []string
		for id, e := range f.entries {
			if now, _ := f.drift(e); now != before[id] {
				changed = append(changed, id)
			}
		}
		return changed
	}
}

// movesDrift says whether the changes may change the drift of agents that are not among them.
func (f *Fleet) movesDrift(changes *store.Changes) bool {
	same := func(a, b store.Baseline) bool { return a.Name == b.Name && a.CreatedAt.Equal(b.CreatedAt) }
	if !slices.EqualFunc(f.baselines, changes.Baselines, same) {
		return true
	}
	return slices.ContainsFunc(changes.Agents, func(a store.Agent) bool {
		return slices.ContainsFunc(f.baselines, func(b store.Baseline) bool { return b.Reference == a.ID })
	})
}

// baselineFor chooses: the agent's own baseline, else the one with the most labels, else the first name.
func (f *Fleet) baselineFor(a *store.Agent) *store.Baseline {
	var best *store.Baseline
	for i := range f.baselines {
		b := &f.baselines[i]
		if !applies(b, a) {
			continue
		}
		if best == nil || specific(b) > specific(best) {
			best = b
		}
	}
	return best
}

func applies(b *store.Baseline, a *store.Agent) bool {
	if b.AgentID != "" {
		return b.AgentID == a.ID
	}
	for key, value := range b.Labels {
		if actual, ok := a.Facts.Labels[key]; !ok || actual != value {
			return false
		}
	}
	return true
}

func specific(b *store.Baseline) int {
	if b.AgentID != "" {
		return 1 << 20
	}
	return len(b.Labels)
}

// Difference is a file that an agent has otherwise than its baseline.
type Difference struct {
	Kind, Path, Change string
	// Expected is the hash in the baseline, Actual the one at the agent.
	Expected, Actual string
}

// Differences compares files. Order does not count.
func Differences(expected, actual []store.File) []Difference {
	type place struct{ kind, path string }
	have := make(map[place]string, len(actual))
	for _, file := range actual {
		have[place{file.Kind, file.Path}] = file.Hash
	}
	var differences []Difference
	for _, file := range expected {
		at := place{file.Kind, file.Path}
		hash, ok := have[at]
		delete(have, at)
		switch {
		case !ok:
			differences = append(differences, Difference{file.Kind, file.Path, "missing", file.Hash, ""})
		case hash != file.Hash:
			differences = append(differences, Difference{file.Kind, file.Path, "modified", file.Hash, hash})
		}
	}
	for at, hash := range have {
		differences = append(differences, Difference{at.kind, at.path, "added", "", hash})
	}
	slices.SortFunc(differences, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind)) })
	return differences
}

// Explain finds the files in which agents differ from their baselines.
func (f *Fleet) Explain(ctx context.Context, agents []State) (map[string][]Difference, error) {
	references, err := f.expected(ctx, agents)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(agents))
	for i := range agents {
		ids[i] = agents[i].ID
	}
	configs, err := f.store.Configs(ctx, ids)
	if err != nil {
		return nil, err
	}
	explained := make(map[string][]Difference, len(agents))
	for i := range agents {
		explained[agents[i].ID] = Differences(references[agents[i].Baseline], configs[agents[i].ID].Files)
	}
	return explained, nil
}

// expected returns the files of each baseline that applies to one of the agents.
func (f *Fleet) expected(ctx context.Context, agents []State) (map[string][]store.File, error) {
	files := map[string][]store.File{}
	for i := range agents {
		name := agents[i].Baseline
		if _, ok := files[name]; ok {
			continue
		}
		baseline, err := f.store.Baseline(ctx, name)
		if err != nil {
			return nil, err
		}
		files[name] = baseline.Files
		if baseline.Reference == "" {
			continue
		}
		configs, err := f.store.Configs(ctx, []string{baseline.Reference})
		if err != nil {
			return nil, err
		}
		files[name] = configs[baseline.Reference].Files
	}
	return files, nil
}

// Baselines returns all baselines without files.
func (f *Fleet) Baselines() []store.Baseline {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.baselines
}
