package receiver

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// raced is how many streams may lose their last line in gRPC's client (docs/adr/017), of more than a hundred. There is hardly ever one.
const raced = 5

// TestStreamsEndWithoutALoss: under load the gateway ends streams, by their age and by restarts. All that agents count as sent is
// stored, once: with the library that stock agents use, and with frames that are written while the end is on its way.
func TestStreamsEndWithoutALoss(t *testing.T) {
	const agents, rate, restarts = 20, 1000, 3
	for _, transport := range []string{"grpc", "wire"} {
		t.Run(transport, func(t *testing.T) {
			ch := harness.StartClickHouse(t)
			g := harness.StartGateway(t, harness.GatewayOptions{
				Config: "embedded:quickstart", ClickHouse: ch.Addr(),
				Args: []string{"--set=receivers::avika::keepalive::server_parameters::max_connection_age=500ms"},
			})
			fleet := harness.StartFleet(t, g.AgentAddr(), "--transport", transport, "--agents", strconv.Itoa(agents), "--rate", strconv.Itoa(rate),
				"--reconnect-wait=100ms", "--connect-rate=0", "--drain=60s")
			underLoad := func() {
				time.Sleep(time.Second) // streams reach their age
				require.Eventually(t, func() bool { return received(t, g, "log_entry") > agents*rate }, harness.WaitFor, harness.Tick)
			}
			for range restarts {
				underLoad()
				g.Restart()
			}
			underLoad()
			summary := fleet.Stop()
			g.Stop()
			require.GreaterOrEqual(t, summary["broken_streams"], float64(agents*(restarts+1)), "streams ended by restarts and by age")
			sent, ok := summary["log_entries"].(float64)
			require.True(t, ok)
			unique := ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs")
			t.Logf("%v streams ended, %d of %.0f lines were lost", summary["broken_streams"], int(sent)-int(unique), sent)
			assert.LessOrEqual(t, int(sent)-int(unique), map[string]int{"grpc": raced}[transport])
			assert.Equal(t, unique, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"), "lines are there twice")
		})
	}
}
