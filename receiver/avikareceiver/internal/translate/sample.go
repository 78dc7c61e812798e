package translate

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// Sample is what an agent has measured, as it was received. Until it is delivered it takes a tenth of the memory of the metrics
// that are made of it.
type Sample struct {
	resource *Resource
	values   wire.Values
	at       pcommon.Timestamp
	// rate is requests per second since the sample before, when rated.
	rate  float64
	rated bool
	// refused says that the time of the message cannot be true.
	refused bool
}

// AddSample adds a message that was queued at a Unix time and received at another, in Unix nanoseconds. Nothing refers to the message afterwards.
// The list's memory behind its end is used again.
func (a *Agent) AddSample(to []Sample, message *wire.Metrics, queued, received int64) []Sample {
	to = slices.Grow(to, 1)[:len(to)+1]
	s := &to[len(to)-1]
	s.values.Copy(&message.Values)
	s.resource, s.at, s.refused = a.sampleResource(message), pcommon.Timestamp(received), true
	if queued > 0 && queued <= maxUnix {
		s.at, s.refused = pcommon.Timestamp(queued)*1e9, false
	}
	s.rate, s.rated = a.rate.next(queued, message.TotalRequests, received/1e9)
	return to
}

// Forget takes the agents out of samples whose memory is going to be used again.
func Forget(samples []Sample) {
	for i := range samples {
		samples[i].resource = nil
	}
}

// sampleResource is the agent's resource, with the labels of a sample on top when it has any. Nearly all samples of an agent have the same.
func (a *Agent) sampleResource(message *wire.Metrics) *Resource {
	if message.LabelsDigest == 0 {
		return a.resource
	}
	if known := &a.sampled; known.digest != message.LabelsDigest || known.facts != a.resource {
		*known = sampled{message.LabelsDigest, a.resource, a.labelled(message.Labels())}
	}
	return a.sampled.resource
}

// sampled is the resource of samples with certain labels, while the agent's facts make a certain resource.
type sampled struct {
	digest          uint64
	facts, resource *Resource
}

func (a *Agent) labelled(labels map[string]string) *Resource {
	all := maps.Clone(a.facts.labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	if maps.Equal(all, a.facts.labels) {
		return a.resource
	}
	f := a.facts
	f.labels, _ = trimLabels(all, a.settings.Labels)
	return a.buildResource(&f)
}

// rate derives requests per second from successive samples. What agents report is an average over their life.
type rate struct {
	queued, total int64
}

// next returns the rate since the sample before, unless there is none, NGINX was restarted, or the samples are out of
// order. Samples of the same second count for the next. now tells a sample of the future, after which the agent's clock was put right.
func (r *rate) next(queued, total, now int64) (float64, bool) {
	elapsed, grown, known := queued-r.queued, total-r.total, r.queued > 0 && r.queued <= now+maxAhead
	if queued <= 0 || known && elapsed <= 0 {
		return 0, false
	}
	r.queued, r.total = queued, total
	if !known || grown < 0 {
		return 0, false
	}
	return float64(grown) / float64(elapsed), true
}
