package avikareceiver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/metadata"
)

// rig is a receiver on a socket of its own, with sinks behind it.
type rig struct {
	t         *testing.T
	config    *Config
	settings  receiver.Settings
	telemetry *componenttest.Telemetry
	log       *observer.ObservedLogs
	host      component.Host
	logs      consumertest.LogsSink
	metrics   consumertest.MetricsSink
	traces    consumertest.TracesSink
	// consume, when set, is asked before the logs reach their sink.
	consume func(ctx context.Context, logs plog.Logs) error
	// discard leaves logs out of their sink, after they were consumed.
	discard bool
	// takeMetrics stands in for the sink of metrics, when set.
	takeMetrics consumer.Metrics
	parts       []component.Component
	receiver    *avikaReceiver
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	g := &rig{t: t, config: createDefaultConfig().(*Config), host: componenttest.NewNopHost(), telemetry: componenttest.NewTelemetry()}
	g.settings = receivertest.NewNopSettings(metadata.Type)
	g.settings.TelemetrySettings = g.telemetry.NewTelemetrySettings()
	var core zapcore.Core
	core, g.log = observer.New(zap.InfoLevel)
	g.settings.Logger = zap.New(core)
	g.config.NetAddr.Endpoint = "127.0.0.1:0"
	g.config.Batch.Timeout = 5 * time.Millisecond
	g.config.Retry.InitialInterval = time.Millisecond
	g.config.Retry.MaxInterval = 5 * time.Millisecond
	for _, f := range change {
		f(g.config)
	}
	return g
}

func startRig(t *testing.T, change ...func(*Config)) *rig {
	return newRig(t, change...).start()
}

func (g *rig) start() *rig {
	factory, ctx := NewFactory(), context.Background()
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		if g.consume != nil {
			if err := g.consume(ctx, logs); err != nil || g.discard {
				return err
			}
		}
		return g.logs.ConsumeLogs(ctx, logs)
	})
	require.NoError(g.t, err)
	logs, err := factory.CreateLogs(ctx, g.settings, g.config, next)
	require.NoError(g.t, err)
	if g.takeMetrics == nil {
		g.takeMetrics = &g.metrics
	}
	metrics, err := factory.CreateMetrics(ctx, g.settings, g.config, g.takeMetrics)
	require.NoError(g.t, err)
	traces, err := factory.CreateTraces(ctx, g.settings, g.config, &g.traces)
	require.NoError(g.t, err)
	g.parts = []component.Component{logs, metrics, traces}
	g.receiver = logs.(*shared).receiver
	for _, part := range g.parts {
		require.NoError(g.t, part.Start(ctx, g.host))
	}
	g.t.Cleanup(g.stop)
	return g
}

// stop may be called twice, as the service may.
func (g *rig) stop() {
	for _, part := range g.parts {
		require.NoError(g.t, part.Shutdown(context.Background()))
	}
}

// counted returns the value of one of the receiver's counters, with attributes as pairs.
func (g *rig) counted(name string, attributes ...string) int64 {
	found, err := g.telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	var total int64
	for _, point := range found.Data.(metricdata.Sum[int64]).DataPoints {
		matches := true
		for i := 0; i < len(attributes); i += 2 {
			value, ok := point.Attributes.Value(attribute.Key(attributes[i]))
			matches = matches && ok && value.AsString() == attributes[i+1]
		}
		if matches {
			total += point.Value
		}
	}
	return total
}

// logged is what the log says of a refused stream besides the reason.
func (g *rig) logged(reason string) map[string]any {
	lines := g.log.FilterMessage("Refused a stream").FilterField(zap.String("reason", reason)).All()
	require.Len(g.t, lines, 1, "logged once")
	return lines[0].ContextMap()
}

// dial opens a connection to the receiver and a stream on it.
func (g *rig) dial(options ...grpc.DialOption) agentv1.Commander_ConnectClient {
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, options...)
	connection, err := grpc.NewClient(g.receiver.address.String(), options...)
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = connection.Close() })
	stream, err := agentv1.NewCommanderClient(connection).Connect(g.t.Context())
	require.NoError(g.t, err)
	return stream
}

// endOf waits for the end of a stream.
func endOf(stream agentv1.Commander_ConnectClient) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

const testAgent = "web-01-10-0-2-15"

func logMessage(entry *agentv1.LogEntry) *agentv1.AgentMessage {
	return &agentv1.AgentMessage{AgentId: testAgent, Timestamp: 1767225600, Payload: &agentv1.AgentMessage_LogEntry{LogEntry: entry}}
}

func heartbeatMessage(beat *agentv1.Heartbeat) *agentv1.AgentMessage {
	return &agentv1.AgentMessage{AgentId: testAgent, Timestamp: 1767225600, Payload: &agentv1.AgentMessage_Heartbeat{Heartbeat: beat}}
}

func metricsMessage(sample *agentv1.NginxMetrics) *agentv1.AgentMessage {
	return &agentv1.AgentMessage{AgentId: testAgent, Timestamp: 1767225600, Payload: &agentv1.AgentMessage_Metrics{Metrics: sample}}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 2*time.Millisecond)
}

func TestOneServerForAllSignals(t *testing.T) {
	g := startRig(t)
	stream := g.dial()
	require.NoError(t, stream.Send(heartbeatMessage(&agentv1.Heartbeat{Hostname: "web-01", Version: "1.27.0"})))
	require.NoError(t, stream.Send(logMessage(&agentv1.LogEntry{
		Timestamp: 1767225600, LogType: "access", RemoteAddr: "192.0.2.1", RequestMethod: "GET", RequestUri: "/a?b=c", Status: 200,
		RequestTime: 0.25, RequestId: "0123456789abcdef0123456789abcdef",
	})))
	require.NoError(t, stream.Send(metricsMessage(&agentv1.NginxMetrics{TotalRequests: 7})))
	eventually(t, func() bool {
		return g.logs.LogRecordCount() == 1 && g.traces.SpanCount() == 1 && g.metrics.DataPointCount() > 0
	})
	resource := g.logs.AllLogs()[0].ResourceLogs().At(0)
	require.Equal(t, map[string]any{
		"service.name": "nginx", "service.instance.id": testAgent, nginxsemconv.AgentID: testAgent,
		"service.version": "1.27.0", "host.name": "web-01",
	}, resource.Resource().Attributes().AsRaw())
	record := resource.ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, nginxsemconv.EventAccess, record.EventName())
	require.Equal(t, map[string]any{
		"http.request.method": "GET", "url.path": "/a", "url.query": "b=c", "http.response.status_code": int64(200),
		"http.response.body.size": int64(0), "nginx.request.time": 0.25, "network.peer.address": "192.0.2.1",
		"client.address": "192.0.2.1", "nginx.request.id": "0123456789abcdef0123456789abcdef",
	}, record.Attributes().AsRaw())
}
