package rows

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

// Resource is what all rows of one resource have in common.
type Resource struct {
	Attributes pcommon.Map
	SchemaURL  string
	// Service is service.name.
	Service string
	// Instance is the agent: avika.agent.id, else service.instance.id, else host.name.
	Instance string
	// labels are the agent's own, keys and values in turn.
	labels []string
}

// NewResource reads the attributes once for all rows. It refers to their memory.
func NewResource(attrs pcommon.Map, schemaURL string) *Resource {
	r := &Resource{Attributes: attrs, SchemaURL: schemaURL}
	var instance, host string
	left := attrs.Len() + 1
	for k, v := range attrs.All() {
		left--
		switch k {
		case "service.name":
			r.Service = v.AsString()
		case nginxsemconv.AgentID:
			r.Instance = v.AsString()
		case "service.instance.id":
			instance = v.AsString()
		case "host.name":
			host = v.AsString()
		case "service.namespace":
			r.addLabel(nginxsemconv.LabelProject, v, left)
		case "deployment.environment.name":
			r.addLabel(nginxsemconv.LabelEnvironment, v, left)
		default:
			if label, ok := strings.CutPrefix(k, nginxsemconv.LabelPrefix); ok {
				r.addLabel(label, v, left)
			}
		}
	}
	r.Instance = firstOf(r.Instance, instance, host)
	return r
}

// addLabel makes room once, for as many labels as there can still be.
func (r *Resource) addLabel(key string, value pcommon.Value, left int) {
	if r.labels == nil {
		r.labels = make([]string, 0, 2*left)
	}
	r.labels = append(r.labels, key, value.AsString())
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Scope is what all rows of one instrumentation scope have in common.
type Scope struct {
	pcommon.InstrumentationScope
	SchemaURL string
}
