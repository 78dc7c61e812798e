// Package nginxsemconv names what the avika receiver writes and the ch_batch exporter reads, where OpenTelemetry's
// semantic conventions have no name of their own. There is no official nginx namespace; metric names are those of
// contrib's nginx receiver where it has one.
package nginxsemconv

// SchemaURL is the version of the semantic conventions that all other names follow.
const SchemaURL = "https://opentelemetry.io/schemas/1.40.0"

// ScopeName is the instrumentation scope of everything the avika receiver emits.
const ScopeName = "github.com/avika-ai/avika-collector/receiver/avikareceiver"

// Event names of log records. A record is an access or error record by its EventName, or by the
// attribute EventNameAttribute where the sender's SDK cannot set an EventName.
const (
	EventAccess        = "nginx.access"
	EventError         = "nginx.error"
	EventNameAttribute = "event.name"
)

// Resource attributes.
const (
	AgentID     = "avika.agent.id"
	LabelPrefix = "avika.label."
	// Labels with an attribute of their own: project is service.namespace, environment is deployment.environment.name.
	LabelProject     = "project"
	LabelEnvironment = "environment"
	ServiceName      = "nginx"
	PodIP            = "k8s.pod.ip"
)

// Attributes of access records.
const (
	RequestID              = "nginx.request.id"
	RequestTime            = "nginx.request.time" // double, s
	CacheStatus            = "nginx.cache.status"
	UpstreamAddress        = "nginx.upstream.address"       // string array, one per attempt
	UpstreamStatus         = "nginx.upstream.status"        // int array, one per attempt; 0 where NGINX wrote "-"
	UpstreamConnectTime    = "nginx.upstream.connect.time"  // double array, s; -1 where NGINX wrote "-"
	UpstreamHeaderTime     = "nginx.upstream.header.time"   // double array, s; -1 where NGINX wrote "-"
	UpstreamResponseTime   = "nginx.upstream.response.time" // double array, s; -1 where NGINX wrote "-"
	RequestHeaderReferer   = "http.request.header.referer"
	RequestHeaderForwarded = "http.request.header.x-forwarded-for"
)

// Attributes of error records, beside process.pid, thread.id, client.address, server.address (the server name),
// and UpstreamAddress.
const (
	ErrorMessage     = "nginx.error.message"
	ErrorLevel       = "nginx.error.level"
	ErrorConnection  = "nginx.error.connection"   // int
	ErrorRequestLine = "nginx.error.request_line" // as in "GET / HTTP/1.1"
	ErrorHost        = "nginx.error.host"
)

// Metrics of an NGINX sample. One message of an agent is one ScopeMetrics, and all its data points have one timestamp.
const (
	MetricRequests            = "nginx.requests"             // cumulative sum
	MetricConnectionsAccepted = "nginx.connections_accepted" // cumulative sum
	MetricConnectionsHandled  = "nginx.connections_handled"  // cumulative sum
	MetricConnectionsCurrent  = "nginx.connections_current"  // non-monotonic sum by ConnectionState
	MetricResponseStatus      = "nginx.http.response.status" // cumulative sum by StatusRange
	MetricRequestIO           = "nginx.http.request.io"      // cumulative sum by IODirection, By
	MetricRequestRate         = "nginx.request.rate"         // gauge, {request}/s, from successive samples
	MetricRequestDuration     = "http.server.request.duration"
)

// Metrics of a host sample, in the same ScopeMetrics.
const (
	MetricCPUUtilization    = "system.cpu.utilization"    // gauge, 1; by cpu.mode, and without it for the whole
	MetricMemoryUsage       = "system.memory.usage"       // By, state "used"
	MetricMemoryLimit       = "system.memory.limit"       // By
	MetricMemoryUtilization = "system.memory.utilization" // gauge, 1
	MetricNetworkIO         = "system.network.io"         // cumulative sum by network.io.direction, By
	MetricNetworkRate       = "avika.system.network.rate" // gauge by network.io.direction, By/s
)

// Attributes of data points and their values.
const (
	ConnectionState  = "state"              // active, reading, writing, waiting
	StatusRange      = "nginx.status_range" // 2xx, 3xx, 4xx, 5xx
	IODirection      = "nginx.io.direction" // receive, transmit
	NetworkDirection = "network.io.direction"
	DirectionIn      = "receive"
	DirectionOut     = "transmit"
)
