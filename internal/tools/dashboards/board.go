package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// board is a dashboard: rows of panels under the variables and links that all boards share.
type board struct {
	uid, title, about string
	// from is the start of the time range that it opens with.
	from string
	// agents says how agents are chosen.
	agents choice
	rows   []row
}

type row struct {
	title  string
	panels []panel
}

// choice of agents.
type choice int

const (
	noAgents choice = iota
	oneAgent
	someAgents
)

// Types of data sources, which are the ids of Grafana's plugins.
const (
	clickHouseType = "grafana-clickhouse-datasource"
	prometheusType = "prometheus"
)

// source refers to the data source that a variable chooses.
func source(kind string) common.DataSourceRef {
	uid := "${clickhouse}"
	if kind == prometheusType {
		uid = "${prometheus}"
	}
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

func (b *board) build() (dashboard.Dashboard, error) {
	d := dashboard.NewDashboardBuilder(b.title).Uid(b.uid).Description(b.about).Tags([]string{"avika"}).
		Time(b.from, "now").Timezone("browser").Refresh("30s").Tooltip(dashboard.DashboardCursorSyncCrosshair)
	for _, v := range b.variables() {
		d.WithVariable(v)
	}
	d.Link(dashboard.NewDashboardLinkBuilder("Avika").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"avika"}).
		AsDropdown(true).IncludeVars(true).KeepTime(true))
	d.Link(dashboard.NewDashboardLinkBuilder("Fleet page").Type(dashboard.DashboardLinkTypeLink).Url(b.fleetPage()).
		Icon("external link").Tooltip("The gateway's own page: agents, commands, configuration").TargetBlank(true))
	id := uint32(1)
	for _, r := range b.rows {
		d.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for i := range r.panels {
			id++
			d.WithPanel(r.panels[i].builder(id))
		}
		id++
	}
	built, err := d.Build()
	for i := range built.Links {
		built.Links[i].Placement = nil // in the open, not in a menu
	}
	return built, err
}

func (b *board) fleetPage() string {
	if b.agents == oneAgent {
		return "${fleet}/#/agents/${agent:percentencode}"
	}
	return "${fleet}/"
}

func (b *board) variables() []cog.Builder[dashboard.VariableModel] {
	vars := []cog.Builder[dashboard.VariableModel]{
		dashboard.NewDatasourceVariableBuilder("clickhouse").Label("ClickHouse").Type(clickHouseType),
		dashboard.NewDatasourceVariableBuilder("prometheus").Label("Prometheus").Type(prometheusType),
		text("database", "Database", "Where the gateway writes", "nginx_analytics"),
		text("fleet", "Fleet page", "Address of the gateway's HTTP interface, as your browser reaches it", "http://localhost:5021"),
	}
	if b.agents == noAgents {
		return vars
	}
	query := "SELECT DISTINCT instance_id FROM ${database}.nginx_metrics WHERE $__timeFilter(timestamp) ORDER BY instance_id"
	v := dashboard.NewQueryVariableBuilder("agent").Label("Agent").Datasource(source(clickHouseType)).
		Query(dashboard.StringOrMap{String: &query}).Definition(query).Refresh(dashboard.VariableRefreshOnTimeRangeChanged)
	if b.agents == someAgents {
		v.Multi(true).IncludeAll(true).Current(chosen("All", "$__all"))
	}
	return append(vars, v)
}

func text(name, label, about, value string) *dashboard.TextBoxVariableBuilder {
	return dashboard.NewTextBoxVariableBuilder(name).Label(label).Description(about).
		DefaultValue(dashboard.StringOrMap{String: &value}).Current(chosen(value, value))
}

func chosen(text, value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Text: dashboard.StringOrArrayOfString{String: &text}, Value: dashboard.StringOrArrayOfString{String: &value},
	}
}
