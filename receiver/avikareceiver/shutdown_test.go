package avikareceiver

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestShutdownDeliversWhatWasRead(t *testing.T) {
	g := startRig(t, func(c *Config) { c.Batch.Timeout = time.Hour })
	stream := g.dial()
	for n := range 100 {
		require.NoError(t, stream.Send(numbered(0, n)))
	}
	eventually(t, func() bool { return g.counted("nginx_gateway_messages") == 100 })
	require.Zero(t, g.logs.LogRecordCount())
	g.stop()
	g.requireAllOnce(1, 100)
	err := endOf(stream)
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.ErrorContains(t, err, "connect to another one")
}

// Messages that are under way when the shutdown begins are taken in.
func TestShutdownReadsWhatIsUnderWay(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Batch.MaxRecords = 10 })
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.consume = func(context.Context, plog.Logs) error {
		once.Do(func() { close(entered) })
		<-release
		return nil
	}
	g.start()
	stream := g.dial()
	for n := range 100 { // more than two batches: the rest waits in gRPC's buffers
		require.NoError(t, stream.Send(numbered(0, n)))
	}
	<-entered
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	g.stop()
	g.requireAllOnce(1, 100)
}

func TestShutdownKeepsItsTime(t *testing.T) {
	g := newRig(t, func(c *Config) { c.ShutdownTimeout = 300 * time.Millisecond; c.Batch.MaxRecords = 10 })
	g.consume = func(context.Context, plog.Logs) error { return errNotNow }
	g.start()
	c := g.dialFrames()
	for n := range 100 {
		require.NoError(t, c.send(numbered(0, n)))
	}
	c.allRead()
	eventually(t, func() bool { return g.counted("otelcol_receiver_avika_retries") > 0 })
	g.stop() // which would wait for ever for this pipeline
	require.EqualValues(t, 100, g.counted("otelcol_receiver_avika_records_dropped", "signal", "logs", "reason", refusedShutdown), "what is given up is counted, wherever it was")
}

func TestShutdownWithoutStart(t *testing.T) {
	g := newRig(t)
	logs, err := NewFactory().CreateLogs(t.Context(), g.settings, g.config, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, logs.Shutdown(t.Context()))
	again, err := NewFactory().CreateLogs(t.Context(), g.settings, g.config, consumertest.NewNop())
	require.NoError(t, err)
	require.NotSame(t, logs, again, "a receiver that was shut down is not used again")
	require.NoError(t, again.Shutdown(t.Context()))
}

func TestAddressInUse(t *testing.T) {
	g := startRig(t)
	config := createDefaultConfig().(*Config)
	config.NetAddr.Endpoint = g.receiver.address.String()
	logs, err := NewFactory().CreateLogs(t.Context(), g.settings, config, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, logs.Start(t.Context(), componenttest.NewNopHost()), "listen for agents")
	require.NoError(t, logs.Shutdown(t.Context()))
}

// A shutdown does not wait for connections that have not said what they want.
func TestShutdownWithSilentConnections(t *testing.T) {
	certs := newCertificates(t)
	for name, change := range map[string]func(*Config){"plaintext": func(*Config) {}, "tls": func(c *Config) {
		settings := configtls.NewDefaultServerConfig()
		settings.CertFile, settings.KeyFile = certs.file("server.pem"), certs.file("server.key")
		c.TLS = configoptional.Some(settings)
	}} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t, change)
			for _, said := range []string{"", "P", "PRI * HTTP/2.0\r\n\r\nSM"} {
				connection, err := net.Dial("tcp", g.receiver.address.String())
				require.NoError(t, err)
				defer connection.Close()
				_, err = connection.Write([]byte(said))
				require.NoError(t, err)
			}
			eventually(t, func() bool {
				g.receiver.waiting.mu.Lock()
				defer g.receiver.waiting.mu.Unlock()
				return len(g.receiver.waiting.open) >= 2
			})
			start := time.Now()
			g.stop()
			require.Less(t, time.Since(start), g.config.ShutdownTimeout)
		})
	}
}

// A client that closes in the middle of the preface is nobody's mistake.
func TestHalfAPreface(t *testing.T) {
	g := startRig(t)
	for _, said := range []string{"P", "PRI * HT"} {
		connection, err := net.Dial("tcp", g.receiver.address.String())
		require.NoError(t, err)
		_, err = connection.Write([]byte(said))
		require.NoError(t, err)
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, connection.Close())
	}
	require.NoError(t, g.dial().Send(numbered(0, 0)))
	eventually(t, func() bool { return g.logs.LogRecordCount() == 1 })
	require.Zero(t, g.counted("otelcol_receiver_avika_streams_refused"))
}
