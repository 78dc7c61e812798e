package rows

import (
	"hash/maphash"
	"strings"
)

// agentMemo remembers what the Enricher told of the latest user agents. The Enricher remembers more of them, but has to lock.
type agentMemo struct {
	seed  maphash.Seed
	known [256]knownAgent
}

type knownAgent struct {
	name  string
	agent UserAgent
}

// maxKnownAgent bounds the length of what is remembered.
const maxKnownAgent = 512

func newAgentMemo() *agentMemo { return &agentMemo{seed: maphash.MakeSeed()} }

func (m *agentMemo) describe(name string, from Enricher) UserAgent {
	if len(name) > maxKnownAgent {
		return from.UserAgent(name)
	}
	known := &m.known[maphash.String(m.seed, name)%uint64(len(m.known))]
	if known.name != name {
		known.name, known.agent = strings.Clone(name), from.UserAgent(name)
	}
	return known.agent
}
