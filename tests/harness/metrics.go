package harness

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// Metrics are the gateway's own metrics at one moment.
type Metrics map[string]*dto.MetricFamily

// Metrics reads the gateway's own metrics.
func (g *Gateway) Metrics(t testing.TB) Metrics {
	t.Helper()
	metrics, err := ReadMetrics(g.MetricsURL())
	require.NoError(t, err)
	return metrics
}

// ReadMetrics reads what a collector tells about itself at a URL.
func ReadMetrics(url string) (Metrics, error) {
	code, body, err := fetch(url)
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, http.StatusText(code))
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(body))
}

// Has tells whether there is a metric of this name.
func (m Metrics) Has(name string) bool { return m[name] != nil }

// Series is how many series a metric has.
func (m Metrics) Series(name string) int { return len(m[name].GetMetric()) }

// Sum adds up the counters and gauges of a name, and the counts of a histogram, whose labels include the given ones.
func (m Metrics) Sum(name string, labels map[string]string) (sum float64) {
	for _, metric := range m[name].GetMetric() {
		if !includes(metric, labels) {
			continue
		}
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue() +
			float64(metric.GetHistogram().GetSampleCount())
	}
	return sum
}

// Values are the different values of a label of a metric.
func (m Metrics) Values(name, label string) []string {
	values := map[string]bool{}
	for _, metric := range m[name].GetMetric() {
		for _, pair := range metric.GetLabel() {
			if pair.GetName() == label {
				values[pair.GetValue()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(values))
}

func includes(metric *dto.Metric, labels map[string]string) bool {
	missing := maps.Clone(labels)
	for _, pair := range metric.GetLabel() {
		if missing[pair.GetName()] == pair.GetValue() {
			delete(missing, pair.GetName())
		}
	}
	return len(missing) == 0
}
