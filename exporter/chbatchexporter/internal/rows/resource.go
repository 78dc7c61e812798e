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
	for k, v := range attrs.All() {
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
			r.labels = append(r.labels, nginxsemconv.LabelProject, v.AsString())
		case "deployment.environment.name":
			r.labels = append(r.labels, nginxsemconv.LabelEnvironment, v.AsString())
		default:
			if label, ok := strings.CutPrefix(k, nginxsemconv.LabelPrefix); ok {
				r.labels = append(r.labels, label, v.AsString())
			}
		}
	}
	r.Instance = firstOf(r.Instance, instance, host)
	return r
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
