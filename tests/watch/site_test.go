package watch

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// site is a small fleet with everything that watches it.
type site struct {
	ch         *harness.ClickHouse
	gateway    *harness.Gateway
	prometheus *prometheus
	// nginx is the agent of a real NGINX, with an error log; simulated is one of the fleet.
	nginx, simulated string
}

const psk = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// startSite runs the fleet until every table has rows.
func startSite(t *testing.T) *site {
	t.Helper()
	s := &site{nginx: "web-90-10-0-9-0"}
	config, err := filepath.Abs(filepath.Join("testdata", "clickhouse.xml"))
	require.NoError(t, err)
	s.ch = harness.StartClickHouseWith(t, localstack.ClickHouseOptions{ConfigFile: config})
	s.gateway = harness.StartGateway(t, harness.GatewayOptions{
		Config: "embedded:quickstart", ClickHouse: s.ch.Addr(), Env: []string{"AVIKA_PSK=" + psk},
		Args: []string{"--set=exporters::ch_batch::sending_queue::storage=file_storage"},
	})
	s.prometheus = startPrometheus(t, s.gateway.MetricsURL(), "http://"+s.ch.HTTPAddr()+"/metrics")
	web := harness.StartNGINX(t, harness.FormatJSON)
	harness.TailNGINX(t, s.gateway.AgentAddr(), web, "--agent-id", s.nginx, "--psk", psk)
	harness.StartAgent(t, s.gateway.AgentAddr(), "--agents", "8", "--rate", "100", "--state-interval", "1s", "--psk", psk)
	harness.StartAgent(t, s.gateway.AgentAddr(), "--agents", "1", "--reconnect-wait", "300ms", "--psk", strings.Repeat("ff", 32))
	s.visit(t, web)
	require.Eventually(t, s.filled, harness.WaitFor, 10*harness.Tick, "not every table has rows")
	s.simulated = s.ch.String(t, "SELECT any(instance_id) FROM nginx_analytics.access_logs WHERE status >= 500")
	s.place(t)
	s.fail(t)
	return s
}

// visit makes requests that succeed, fail, go to an upstream, and one that NGINX complains of in its error log.
func (s *site) visit(t *testing.T, web *harness.NGINX) {
	t.Helper()
	for _, path := range []string{"/", "/missing/x", "/app/y"} {
		for range 20 {
			_, _, err := fetch(web.URL(path))
			require.NoError(t, err)
		}
	}
	conn, err := net.DialTimeout("tcp", strings.Split(strings.TrimPrefix(web.URL("/"), "http://"), "/")[0], time.Second)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: bad host\r\n\r\n")
	require.NoError(t, err)
}

func (s *site) filled() bool {
	var quiet assert.CollectT // rows that are not there yet are no failure
	for _, table := range []string{"access_logs", "error_logs", "nginx_metrics", "system_metrics", "gateway_metrics", "otel_traces", "traffic_5min"} {
		if s.ch.Uint(&quiet, "SELECT count() FROM nginx_analytics."+table) == 0 {
			return false
		}
	}
	// Panels of one agent are asked for this one.
	for _, table := range []string{"access_logs", "error_logs", "nginx_metrics", "system_metrics"} {
		if s.ch.Uint(&quiet, "SELECT count() FROM nginx_analytics."+table+" WHERE instance_id = ?", s.nginx) == 0 {
			return false
		}
	}
	return s.ch.Uint(&quiet, "SELECT count() FROM nginx_analytics.access_logs WHERE status >= 500") > 0
}

// place gives requests a place, as a GeoIP database would, which cannot be had here.
func (s *site) place(t *testing.T) {
	t.Helper()
	s.ch.Exec(t, `INSERT INTO nginx_analytics.access_logs SELECT * REPLACE ('Germany' AS country, 'DE' AS country_code, 'Berlin' AS city,
		52.52 AS latitude, 13.4 AS longitude) FROM nginx_analytics.access_logs LIMIT 500`)
}

// fail makes a query that fails, for the panels and queries that show those.
func (s *site) fail(t *testing.T) {
	t.Helper()
	var failed assert.CollectT
	s.ch.Uint(&failed, "SELECT throwIf(1)")
	s.ch.Exec(t, "SYSTEM FLUSH LOGS")
}

func TestWatching(t *testing.T) {
	s := startSite(t)
	t.Run("dashboards on ClickHouse", s.testSQL)
	t.Run("dashboards on Prometheus", s.testPromQL)
	t.Run("alerts load", s.testAlertsLoad)
	t.Run("metrics are documented", s.testMetricsAreDocumented)
	t.Run("commands of the troubleshooting", s.testCommands)
	t.Run("queries of the troubleshooting", s.testQueries)
	t.Run("the fleet page answers", s.testFleetPage)
	t.Run("an outage is seen", s.testOutage)
}
