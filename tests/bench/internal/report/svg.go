package report

import (
	"bytes"
	"fmt"
	"math"
)

// Size of the picture and of a chart in it, in pixels.
const (
	picture    = 860
	height     = 340
	chartWidth = 320
	chartTall  = 220
	left, top  = 70, 50
)

var colors = map[int]string{1: "#1a7f37", 2: "#0969da", 4: "#8250df"}

// ScaleSVG draws rows per CPU-second, and memory, over the number of agents: a line for each number of replicas, and the
// guide's formula for memory.
func ScaleSVG(points []Point) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", picture, height)
	fmt.Fprintln(&b, "<!-- written by make bench-scale -->")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", picture, height)
	rows := chart{x: left, title: "rows per gateway CPU-second", low: 1e3, high: 1e6}
	memory := chart{x: left + chartWidth + 110, title: "peak memory of a replica, MiB", low: 32, high: 32768}
	for _, c := range []chart{rows, memory} {
		c.frame(&b)
	}
	for _, replicas := range []int{1, 2, 4} {
		rows.line(&b, points, replicas, colors[replicas], "", func(p Point) float64 { return p.RowsPerCPU })
		memory.line(&b, points, replicas, colors[replicas], "", func(p Point) float64 { return p.MiB })
	}
	memory.line(&b, points, 1, "#999", "5,4", func(p Point) float64 { return GuideMiB(float64(p.Agents), guideBuffer) })
	legend(&b)
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes()
}

// chart has logarithmic axes: agents from 10 to 10,000, and a value.
type chart struct {
	x         float64
	title     string
	low, high float64
}

func (c *chart) at(agents int, value float64) (x, y float64) {
	x = c.x + chartWidth*(math.Log10(float64(agents))-1)/3
	share := math.Log(value/c.low) / math.Log(c.high/c.low)
	return x, top + chartTall*(1-min(max(share, 0), 1))
}

func (c *chart) frame(b *bytes.Buffer) {
	fmt.Fprintf(b, `<text x="%.0f" y="%d" font-weight="bold">%s</text>`+"\n", c.x, top-15, c.title)
	for _, agents := range []int{10, 100, 1000, 10_000} {
		x, y := c.at(agents, c.low)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="middle">%d</text>`+"\n",
			x, top, x, y, x, y+18, agents)
	}
	x, y := c.at(316, c.low)
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">agents</text>`+"\n", x, y+36)
	for value := c.low; value <= c.high*1.001; value *= c.step() {
		x, y := c.at(10, value)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			x, y, x+chartWidth, y, x-6, y+4, value)
	}
}

// step is between two marks of the axis of values.
func (c *chart) step() float64 {
	if c.low < 1000 {
		return 4
	}
	return 10
}

func (c *chart) line(b *bytes.Buffer, points []Point, replicas int, color, dashes string, value func(Point) float64) {
	var path bytes.Buffer
	var dots bytes.Buffer
	for _, p := range points {
		if p.Replicas != replicas {
			continue
		}
		x, y := c.at(p.Agents, value(p))
		command := "L"
		if path.Len() == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%.1f,%.1f ", command, x, y)
		fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x, y, color)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", bytes.TrimSpace(path.Bytes()), color, dashes)
	if dashes == "" {
		fmt.Fprintf(b, "%s\n", dots.Bytes())
	}
}

func legend(b *bytes.Buffer) {
	x := left
	for _, entry := range []struct{ text, color string }{
		{"1 replica", colors[1]}, {"2 replicas", colors[2]}, {"4 replicas", colors[4]}, {"the guide's formula, 1 replica", "#999"},
	} {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="14" height="4" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, height-16, entry.color, x+20, height-10, entry.text)
		x += 130
	}
}
