package rows

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
)

// Names of tables.
const (
	AccessLogs     = "access_logs"
	ErrorLogs      = "error_logs"
	NginxMetrics   = "nginx_metrics"
	SystemMetrics  = "system_metrics"
	GatewayMetrics = "gateway_metrics"
	OTelLogs       = "otel_logs"
	OTelTraces     = "otel_traces"
	OTelGauge      = "otel_metrics_gauge"
	OTelSum        = "otel_metrics_sum"
	OTelHistogram  = "otel_metrics_histogram"
	OTelExpHist    = "otel_metrics_exponential_histogram"
	OTelSummary    = "otel_metrics_summary"
)

// Builder collects rows of one table. Not safe for concurrent use.
type Builder interface {
	Block() *nativeblock.Block
	// Reset forgets the rows and keeps the memory.
	Reset()
}

// New makes an empty builder for a table.
func New(table string, o Options) Builder { return builders[table](o) }

// Options of builders.
type Options struct {
	// Enrich fills columns that the record itself has no value for; nil: nothing is filled.
	Enrich Enricher
}

// Enricher knows more about clients than NGINX does. Implementations are safe for concurrent use.
type Enricher interface {
	// UserAgent describes a user agent.
	UserAgent(ua string) UserAgent
	// Address locates an address.
	Address(ip string) Location
}

// UserAgent is what a user agent's name tells.
type UserAgent struct {
	Bot                                            bool
	Browser, BrowserVersion, OS, OSVersion, Device string
}

// Location is where an address is.
type Location struct {
	Country, CountryCode, City, Region, Timezone, ISP string
	Latitude, Longitude                               float64
}

var builders = map[string]func(Options) Builder{
	AccessLogs:     func(o Options) Builder { return newAccess(o) },
	ErrorLogs:      func(Options) Builder { return newErrors() },
	NginxMetrics:   func(Options) Builder { return newNginx() },
	SystemMetrics:  func(Options) Builder { return newSystem() },
	GatewayMetrics: func(Options) Builder { return newGateway() },
	OTelLogs:       func(Options) Builder { return newLogs() },
	OTelTraces:     func(Options) Builder { return newSpans() },
	OTelGauge:      func(Options) Builder { return newPoints(OTelGauge) },
	OTelSum:        func(Options) Builder { return newPoints(OTelSum) },
	OTelHistogram:  func(Options) Builder { return newPoints(OTelHistogram) },
	OTelExpHist:    func(Options) Builder { return newPoints(OTelExpHist) },
	OTelSummary:    func(Options) Builder { return newPoints(OTelSummary) },
}

// fields adds columns to a block while a builder is made.
type fields struct{ block nativeblock.Block }

func (f *fields) add(name, typ string, c nativeblock.Column) {
	f.block.Fields = append(f.block.Fields, nativeblock.Field{Name: name, Type: typ, Column: c})
}

func (f *fields) fixed(name, typ string, width int) *nativeblock.Fixed {
	c := nativeblock.NewFixed(width)
	f.add(name, typ, c)
	return c
}

func (f *fields) uint8(name string) *nativeblock.Fixed   { return f.fixed(name, "UInt8", 1) }
func (f *fields) uint16(name string) *nativeblock.Fixed  { return f.fixed(name, "UInt16", 2) }
func (f *fields) uint32(name string) *nativeblock.Fixed  { return f.fixed(name, "UInt32", 4) }
func (f *fields) uint64(name string) *nativeblock.Fixed  { return f.fixed(name, "UInt64", 8) }
func (f *fields) int32(name string) *nativeblock.Fixed   { return f.fixed(name, "Int32", 4) }
func (f *fields) float32(name string) *nativeblock.Fixed { return f.fixed(name, "Float32", 4) }
func (f *fields) float64(name string) *nativeblock.Fixed { return f.fixed(name, "Float64", 8) }
func (f *fields) millis(name string) *nativeblock.Fixed  { return f.fixed(name, "DateTime64(3)", 8) }

func (f *fields) nanos(name string) *nativeblock.Fixed { return f.fixed(name, "DateTime64(9)", 8) }

func (f *fields) str(name string) *nativeblock.String {
	c := nativeblock.NewString()
	f.add(name, "String", c)
	return c
}

func (f *fields) low(name string) *nativeblock.LowCardinality {
	c := nativeblock.NewLowCardinality()
	f.add(name, "LowCardinality(String)", c)
	return c
}

func (f *fields) lowMap(name string) *nativeblock.Map {
	c := nativeblock.NewMap()
	f.add(name, "Map(LowCardinality(String), String)", c)
	return c
}

func array[C nativeblock.Column](f *fields, name, valueType string, values C) *nativeblock.Array[C] {
	c := nativeblock.NewArray(values)
	f.add(name, "Array("+valueType+")", c)
	return c
}

// labels is the column Map(String, String) of an agent's labels.
type labels struct {
	col  *nativeblock.Map
	last *Resource
}

func newLabels(f *fields) *labels {
	l := &labels{col: nativeblock.NewPlainMap()}
	f.add("labels", "Map(String, String)", l.col)
	return l
}

func (l *labels) append(res *Resource) {
	if l.last == res && l.col.Rows() > 0 {
		l.col.RepeatLast()
		return
	}
	l.last = res
	for i := 0; i < len(res.labels); i += 2 {
		l.col.Key(res.labels[i])
		l.col.Values().Append(res.labels[i+1])
	}
	l.col.End()
}

// attributes is a map column of attributes, which repeats those of a resource or scope cheaply.
type attributes struct {
	col     *nativeblock.Map
	scratch []byte
	last    any
}

func newAttributes(f *fields, name string) *attributes { return &attributes{col: f.lowMap(name)} }

func (a *attributes) append(m pcommon.Map) {
	appendAttributes(a.col, &a.scratch, m)
}

// appendOf appends the attributes of owner, a *Resource or *Scope: for the same owner again, the row is copied.
func (a *attributes) appendOf(owner any, m pcommon.Map) {
	if a.last == owner && a.col.Rows() > 0 {
		a.col.RepeatLast()
		return
	}
	a.last = owner
	a.append(m)
}

func appendAttributes(c *nativeblock.Map, scratch *[]byte, m pcommon.Map) {
	values := c.Values()
	for k, v := range m.All() {
		c.Key(k)
		appendValue(values, scratch, v)
	}
	c.End()
}

// Tables are the names of all tables that have builders.
func Tables() []string { return slices.Sorted(maps.Keys(builders)) }

// Fields are name and type of the columns that a table's builder writes.
func Fields(table string) [][2]string {
	b := New(table, Options{}).Block()
	out := make([][2]string, len(b.Fields))
	for i := range b.Fields {
		out[i] = [2]string{b.Fields[i].Name, b.Fields[i].Type}
	}
	return out
}
