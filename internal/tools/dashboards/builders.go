package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/geomap"
	heat "github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	grid "github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func (p *panel) builder(id uint32) cog.Builder[dashboard.Panel] {
	switch p.kind {
	case number:
		return p.number(id)
	case table:
		return p.table(id)
	case bars:
		return p.bars(id)
	case heatmap:
		return p.heatmap(id)
	case world:
		return p.world(id)
	}
	return p.lines(id)
}

func (p *panel) lines(id uint32) cog.Builder[dashboard.Panel] {
	b := dress(timeseries.NewPanelBuilder(), p, id).LineWidth(1).FillOpacity(10).ShowPoints(common.VisibilityModeNever).
		AxisSoftMin(0).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom).ShowLegend(true))
	if p.kind == areas {
		b.FillOpacity(60).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	for _, class := range statusColors {
		if !strings.Contains(p.queries[0].sql, `"`+class.name+`"`) {
			continue
		}
		b.OverrideByName(class.name, []dashboard.DynamicConfigValue{{Id: "color", Value: map[string]any{
			"mode": "fixed", "fixedColor": class.color,
		}}})
	}
	return b
}

// statusColors are the same wherever a class of status codes is shown.
var statusColors = []struct{ name, color string }{
	{"2xx", "green"}, {"3xx", "blue"}, {"4xx", "orange"}, {"5xx", "red"},
}

func newest() *common.ReduceDataOptionsBuilder {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})
}

func (p *panel) number(id uint32) cog.Builder[dashboard.Panel] {
	return dress(stat.NewPanelBuilder(), p, id).ReduceOptions(newest()).ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeNone).Orientation(common.VizOrientationAuto)
}

func (p *panel) bars(id uint32) cog.Builder[dashboard.Panel] {
	return dress(bargauge.NewPanelBuilder(), p, id).Orientation(common.VizOrientationHorizontal).
		DisplayMode(common.BarGaugeDisplayModeBasic).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Values(true).Calcs([]string{"lastNotNull"}))
}

func (p *panel) heatmap(id uint32) cog.Builder[dashboard.Panel] {
	return dress(heat.NewPanelBuilder(), p, id).Calculate(false).
		YAxis(heat.NewYAxisConfigBuilder().Unit(p.unit)).
		Color(heat.NewHeatmapColorOptionsBuilder().Mode(heat.HeatmapColorModeScheme).Scheme("Oranges").Steps(64))
}

// world draws the columns latitude, longitude and requests.
func (p *panel) world(id uint32) cog.Builder[dashboard.Panel] {
	mode, latitude, longitude := common.FrameGeometrySourceModeCoords, "latitude", "longitude"
	return dress(geomap.NewPanelBuilder(), p, id).
		View(geomap.NewMapViewConfigBuilder().Id("zero").Zoom(1)).
		Tooltip(geomap.NewTooltipOptionsBuilder().Mode(geomap.TooltipModeDetails)).
		Basemap(common.NewMapLayerOptionsBuilder().Type("default").Name("Map")).
		Layers([]cog.Builder[common.MapLayerOptions]{
			common.NewMapLayerOptionsBuilder().Type("markers").Name("requests").Config(map[string]any{
				"showLegend": false,
				"style": map[string]any{
					"size":  map[string]any{"field": "requests", "min": 3, "max": 20},
					"color": map[string]any{"field": "errors_share", "fixed": "green"}, "opacity": 0.5,
				},
			}).Location(common.NewFrameGeometrySourceBuilder().Mode(mode).Latitude(latitude).Longitude(longitude)),
		})
}

func (p *panel) table(id uint32) cog.Builder[dashboard.Panel] {
	b := dress(grid.NewPanelBuilder(), p, id).CellHeight(common.TableCellHeightSm).Filterable(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{"sum"}))
	for _, c := range p.columns {
		b.OverrideByName(c.name, c.properties())
	}
	return b
}

func (c *column) properties() (properties []dashboard.DynamicConfigValue) {
	if c.unit != "" {
		properties = append(properties, dashboard.DynamicConfigValue{Id: "unit", Value: c.unit})
	}
	if c.link != "" {
		properties = append(properties, dashboard.DynamicConfigValue{Id: "links", Value: links(c.link)})
	}
	return properties
}

// links of a column with agents: to the agent's dashboard, and to its place on the fleet page.
func links(column string) []map[string]any {
	value := "${__data.fields." + column + ":percentencode}"
	return []map[string]any{
		{"title": "This agent", "url": "/d/avika-agent?var-agent=" + value + "&var-database=${database}&var-fleet=${fleet:percentencode}&${__url_time_range}"},
		{"title": "This agent on the fleet page", "url": "${fleet}/#/agents/" + value, "targetBlank": true},
	}
}
