package translate

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
)

// Agent is what is known of the agent behind a stream.
type Agent struct {
	settings *Settings
	id       string
	hash     uint64
	facts    facts
	// queued is the time of the newest facts, in Unix seconds.
	queued   int64
	resource *Resource
	sampled  sampled
	rate     rate
}

// Resource is the agent as OpenTelemetry data describe it. It does not change; an agent whose facts change gets another.
type Resource struct {
	attributes []pdataslab.KeyValue
	// agent is the hash of the agent's id, for the ids of its spans.
	agent uint64
}

type facts struct {
	hostname, version, podIP string
	isPod                    bool
	labels                   map[string]string
}

// NewAgent returns the agent with a canonical id. Nothing else is known of it before its first heartbeat.
func NewAgent(settings *Settings, id string) *Agent {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(id)) // never fails
	a := &Agent{settings: settings, id: id, hash: mix(hash.Sum64())}
	a.resource = a.buildResource(&a.facts)
	return a
}

// Resource returns the agent as it is known now.
func (a *Agent) Resource() *Resource { return a.resource }

// unknownVersion is what agents say in their first heartbeat.
const unknownVersion = "unknown"

// Heartbeat takes over the facts of a heartbeat that was queued at the given Unix time, unless newer ones are known. It
// trims the labels of the message to the configured number and returns how many were left out.
func (a *Agent) Heartbeat(queued int64, message *agentv1.Heartbeat) (labelsLeftOut int) {
	message.Labels, labelsLeftOut = trimLabels(message.Labels, a.settings.Labels)
	if !a.Newest(queued) {
		return labelsLeftOut
	}
	a.queued = queued
	version := message.GetVersion()
	if version == unknownVersion || version == "" {
		version = a.facts.version
	}
	if a.facts.same(message, version) {
		return labelsLeftOut
	}
	a.facts = facts{message.GetHostname(), version, message.GetPodIp(), message.GetIsPod(), maps.Clone(message.GetLabels())}
	a.resource = a.buildResource(&a.facts)
	return labelsLeftOut
}

// Newest reports whether no newer facts are known than those that were queued at the given Unix time. Facts of the future do not
// count: the agent's clock was wrong, and has been put right.
func (a *Agent) Newest(queued int64) bool {
	return queued >= a.queued || a.queued > time.Now().Unix()+maxAhead
}

// maxAhead is how far an agent's clock may be ahead before it counts as wrong, in seconds.
const maxAhead = 60

// Unchanged notes that the facts were still the same at the given Unix time.
func (a *Agent) Unchanged(queued int64) { a.queued = max(a.queued, queued) }

func (f *facts) same(message *agentv1.Heartbeat, version string) bool {
	return f.hostname == message.GetHostname() && f.version == version && f.podIP == message.GetPodIp() &&
		f.isPod == message.GetIsPod() && maps.Equal(f.labels, message.GetLabels())
}

// trimLabels returns at most limit of the labels, the first in alphabetical order, so that the choice is always the same, and
// how many it left out.
func trimLabels(labels map[string]string, limit int) (kept map[string]string, leftOut int) {
	if len(labels) <= limit {
		return labels, 0
	}
	keys := make([]string, 0, limit+1)
	for key := range labels {
		if len(keys) == limit && (limit == 0 || key >= keys[limit-1]) {
			continue
		}
		at, _ := slices.BinarySearch(keys, key)
		keys = slices.Insert(keys, at, key)
		keys = keys[:min(len(keys), limit)]
	}
	kept = make(map[string]string, limit)
	for _, key := range keys {
		kept[key] = labels[key]
	}
	return kept, len(labels) - limit
}

// buildResource lays out the resource on its own, because it outlives batches.
func (a *Agent) buildResource(f *facts) *Resource {
	var slab pdataslab.Slab
	size := 9 + len(f.labels)
	slab.Fit(size)
	slab.Open(size)
	id := slab.String(a.id)
	slab.Put("service.name", slab.String(nginxsemconv.ServiceName))
	slab.Put("service.instance.id", id)
	slab.Put(nginxsemconv.AgentID, id)
	slab.PutString("service.version", f.version)
	slab.PutString("host.name", f.hostname)
	if f.isPod {
		slab.PutString("k8s.pod.name", f.hostname)
		slab.PutString(nginxsemconv.PodIP, f.podIP)
	}
	for _, key := range slices.Sorted(maps.Keys(f.labels)) {
		slab.PutString(labelAttribute(key), strings.ToValidUTF8(f.labels[key], "\uFFFD"))
	}
	return &Resource{slab.Close(), a.hash}
}

func labelAttribute(key string) string {
	switch key {
	case nginxsemconv.LabelProject:
		return "service.namespace"
	case nginxsemconv.LabelEnvironment:
		return "deployment.environment.name"
	default:
		return nginxsemconv.LabelPrefix + key
	}
}
