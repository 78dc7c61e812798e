package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
)

func TestGrowthComparesTheSecondFifthWithTheLast(t *testing.T) {
	var samples []Sample
	for i := range 50 {
		samples = append(samples, Sample{Parts: uint64(i)})
	}
	g := GrowthOf(samples, "parts", func(s Sample) (float64, bool) { return float64(s.Parts), s.Parts != 45 })
	assert.Equal(t, Growth{Of: "parts", Early: 14.5, Late: (445 - 45) / 9.0}, g)
	assert.Equal(t, Range{Min: 0, Max: 49, End: 49}, PartsOf(samples))
	assert.Equal(t, Range{}, PartsOf(nil))
}

func TestGuideFormulas(t *testing.T) {
	assert.Equal(t, 6, GuideReplicas(100), "the guide's enterprise profile: ceil(100 / 20) + 1")
	assert.Equal(t, 2, GuideReplicas(1))
	assert.InDelta(t, 256+2*20+2*50, GuideMiB(20, 50), 0)
}

func result() Result {
	return Result{
		Name: "one", Rows: count.Rows{Sent: 10, Stored: 10, Unique: 10}, Ages: &count.Ages{P50: 0.1, P99: 1.5}, RowsPerSecond: 5,
		Processes: []Process{
			{Name: "gateway-1", CPUSeconds: 1, Cores: 0.25, PeakRSS: 1 << 20},
			{Name: "gateway-2", CPUSeconds: 1, Cores: 0.25, PeakRSS: 2 << 20},
			{Name: "ClickHouse", CPUSeconds: 4, Cores: 1},
		},
	}
}

func TestSummaryAddsUpTheReplicas(t *testing.T) {
	var out bytes.Buffer
	WriteSummary(&out, []Result{result()})
	assert.Contains(t, out.String(), "| one | 5 | 0 | 0 | 0.10, 1.50 | 0.50 | 5 | 2 | 1.00 | 0 |")
}

func TestPlotIsWellFormedAndHasEveryPoint(t *testing.T) {
	r := result()
	var points []Point
	for _, replicas := range []int{1, 2, 4} {
		for _, agents := range []int{10, 100, 1000, 10_000} {
			points = append(points, PointOf(&r, agents, replicas))
		}
	}
	svg := ScaleSVG(points)
	assert.Equal(t, 24, strings.Count(string(svg), "<circle"))
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	var table bytes.Buffer
	WriteScaleTable(&table, points)
	assert.Contains(t, table.String(), "| 10000 | 4 | 5 | 5 | 0.50 | 2 | 5512 | 501 | 1.00 | 1.50 |")
}

func TestResultsAreReadAsTheyWereWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, WriteJSON(path, []Result{result()}))
	back, err := ReadJSON(path)
	require.NoError(t, err)
	require.Len(t, back, 1)
	assert.Equal(t, result().Processes, back[0].Processes)
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = ReadJSON(path)
	assert.ErrorContains(t, err, path)
}
