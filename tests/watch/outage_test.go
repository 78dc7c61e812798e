package watch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// testOutage: what alerts look at moves when ClickHouse is away and when an agent has a wrong key, and comes back.
func (s *site) testOutage(t *testing.T) {
	require.NoError(t, s.ch.Shutdown())
	for _, alert := range []string{"ClickHouseDown", "AgentsRefused"} {
		require.Eventually(t, func() bool { return s.state(alert) != "inactive" }, harness.WaitFor, 4*harness.Tick, "%s stays quiet", alert)
	}
	for _, expr := range []string{
		`sum by (code) (rate(otelcol_exporter_ch_batch_insert_failures_total[10s])) > 0`,
		`otelcol_exporter_ch_batch_oldest_row_age_seconds{signal="logs"} > 2`,
		`sum(otelcol_exporter_ch_batch_buffer_rows{table="access_logs"}) > 500`,
		`otelcol_exporter_ch_batch_newest_row_age_seconds{table="nginx_metrics"} > 2`,
	} {
		require.Eventually(t, func() bool { return s.holds(expr) }, harness.WaitFor, 4*harness.Tick, expr)
	}
	require.NoError(t, s.ch.Restart(t.Context()))
	for _, expr := range []string{
		`max(otelcol_exporter_ch_batch_oldest_row_age_seconds) < 1`,
		`max(otelcol_exporter_ch_batch_newest_row_age_seconds{table="nginx_metrics"}) < 3`,
		`sum(otelcol_exporter_ch_batch_rows_lost_total) == 0`,
	} {
		require.Eventually(t, func() bool { return s.holds(expr) }, harness.WaitFor, 4*harness.Tick, expr)
	}
	late := `histogram_quantile(0.99, sum by (le) (rate(otelcol_exporter_ch_batch_row_delay_seconds_bucket[5m]))) > 1`
	require.Eventually(t, func() bool { return s.holds(late) }, harness.WaitFor, 4*harness.Tick, "the rows that waited count as late")
}

func (s *site) holds(expr string) bool {
	n, err := s.prometheus.count(expr)
	return err == nil && n > 0
}

func (s *site) state(alert string) string {
	a, err := s.prometheus.get("rules", nil)
	if err != nil {
		return "inactive"
	}
	for _, g := range a.Data.Groups {
		for _, r := range g.Rules {
			if r.Name == alert {
				return r.State
			}
		}
	}
	return "inactive"
}
