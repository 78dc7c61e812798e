package receiver

import (
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
	const total, restarts = 100_000, 3
	for _, transport := range []string{"grpc", "wire"} {
		t.Run(transport, func(t *testing.T) {
			ch := harness.StartClickHouse(t)
			g := harness.StartGateway(t, harness.GatewayOptions{
				Config: "embedded:quickstart", ClickHouse: ch.Addr(),
				Args: []string{"--set=receivers::avika::keepalive::server_parameters::max_connection_age=500ms"},
			})
			summary := make(chan map[string]any, 1)
			go func() {
				summary <- harness.RunFleet(t, g.AgentAddr(), "--transport", transport, "--agents=20", "--rate=1000", "--total=100000",
					"--reconnect-wait=100ms", "--connect-rate=0")
			}()
			for range restarts {
				time.Sleep(time.Second)
				g.Restart()
			}
			sent := <-summary
			g.Stop()
			require.EqualValues(t, total, sent["log_entries"], sent)
			require.GreaterOrEqual(t, sent["broken_streams"], 20.*(restarts+1), "streams ended by restarts and by age")
			unique := ch.Uint(t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs")
			t.Logf("%v streams ended, %d of %d lines were lost", sent["broken_streams"], total-unique, total)
			assert.LessOrEqual(t, total-unique, map[string]uint64{"grpc": raced}[transport])
			assert.Equal(t, unique, ch.Uint(t, "SELECT count() FROM nginx_analytics.access_logs"), "lines are there twice")
		})
	}
}
