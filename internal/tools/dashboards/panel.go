package main

import (
	"cmp"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// panel is what a reader sees in one frame.
type panel struct {
	kind  kind
	title string
	// about says what it shows, and what to do when it looks wrong.
	about string
	// unit is one of Grafana's.
	unit          string
	width, height uint32
	queries       []query
	// levels colour values; below the first one the colour is below, green when it is empty.
	levels []level
	below  string
	// columns of a table that have a unit or a link of their own.
	columns []column
	// every is the shortest time between two points; empty: Grafana chooses.
	every string
	// max of the axis; 0: as the data has it.
	max float64
}

type kind int

const (
	lines   kind = iota // over time
	areas               // over time, stacked
	number              // the newest value
	table               // rows
	bars                // one bar for each row
	heatmap             // a distribution over time
	world               // a map
)

// level is a value from which a colour holds.
type level struct {
	from  float64
	color string
}

// column is how a table shows a field.
type column struct{ name, unit, link string }

// query has either SQL for ClickHouse or an expression for Prometheus.
type query struct{ sql, expr, legend string }

func sql(statements ...string) (queries []query) {
	for _, s := range statements {
		queries = append(queries, query{sql: s})
	}
	return queries
}

// promql takes expressions and legends in turn.
func promql(exprsAndLegends ...string) (queries []query) {
	for i := 0; i < len(exprsAndLegends); i += 2 {
		queries = append(queries, query{expr: exprsAndLegends[i], legend: exprsAndLegends[i+1]})
	}
	return queries
}

func (p *panel) source() common.DataSourceRef {
	if p.queries[0].expr != "" {
		return source(prometheusType)
	}
	return source(clickHouseType)
}

func (p *panel) overTime() bool { return p.kind == lines || p.kind == areas || p.kind == heatmap }

// target is a query as its data source wants it.
func (p *panel) target(i int) cog.Builder[variants.Dataquery] {
	q, id := p.queries[i], string(rune('A'+i))
	if q.expr != "" {
		b := prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.legend).RefId(id).Datasource(source(prometheusType)).
			EditorMode(prometheus.QueryEditorModeCode)
		switch {
		case p.kind == heatmap:
			return b.Format(prometheus.PromQueryFormatHeatmap).Range()
		case p.overTime():
			return b.Range()
		}
		return b.Instant()
	}
	kind, format := "table", 1
	if p.overTime() {
		kind, format = "timeseries", 0
	}
	return variants.NewUnknownDataqueryBuilderFromObject(variants.UnknownDataquery{
		"refId": id, "datasource": source(clickHouseType), "editorType": "sql", "queryType": kind, "format": format,
		"rawSql": q.sql, "pluginVersion": "4.0.0",
	})
}

// common to the builders of all kinds of panels.
type dressable[B any] interface {
	Id(uint32) B
	Title(string) B
	Description(string) B
	Datasource(common.DataSourceRef) B
	Height(uint32) B
	Span(uint32) B
	Unit(string) B
	Interval(string) B
	Min(float64) B
	Max(float64) B
	WithTarget(cog.Builder[variants.Dataquery]) B
	Thresholds(cog.Builder[dashboard.ThresholdsConfig]) B
	ColorScheme(cog.Builder[dashboard.FieldColor]) B
}

func dress[B dressable[B]](b B, p *panel, id uint32) B {
	b.Id(id).Title(p.title).Description(p.about).Datasource(p.source()).Height(p.height).Span(p.width)
	if p.unit != "" {
		b.Unit(p.unit)
	}
	if p.every != "" {
		b.Interval(p.every)
	}
	if p.max != 0 {
		b.Min(0).Max(p.max)
	}
	for i := range p.queries {
		b.WithTarget(p.target(i))
	}
	if len(p.levels) > 0 {
		b.Thresholds(p.steps()).ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds))
	}
	return b
}

func (p *panel) steps() *dashboard.ThresholdsConfigBuilder {
	all := []dashboard.Threshold{{Color: cmp.Or(p.below, "green")}}
	for _, l := range p.levels {
		all = append(all, dashboard.Threshold{Value: &l.from, Color: l.color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(all)
}
