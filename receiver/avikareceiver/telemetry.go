package avikareceiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/metadata"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// Reasons for which streams, messages and records are refused.
const (
	refusedTLS            = "tls_handshake"
	refusedTLSToPlaintext = "tls_to_plaintext"
	refusedNotHTTP2       = "not_http2"
	refusedStreams        = "too_many_streams"
	refusedIdle           = "idle"
	refusedSize           = "message_too_large"
	refusedProtocol       = "protocol_error"
	refusedMalformed      = "malformed"
	refusedCut            = "cut_off"
	refusedAgentID        = "invalid_agent_id"
	refusedIdentity       = "wrong_agent_id"
	refusedAuth           = "authentication"
	refusedUnsigned       = "signature_missing"
	refusedSignature      = "signature_wrong"
	refusedClock          = "signature_out_of_time"
	refusedReplay         = "signature_replayed"
	refusedRevoked        = "revoked"
	refusedApproval       = "approval_required"
	refusedTooMany        = "too_many_agents"
	refusedRemoved        = "removed"
	refusedRegistry       = "registry"
	refusedPermanent      = "permanent_error"
	refusedNoRetry        = "retry_disabled"
	refusedRetryTime      = "retry_time_over"
	refusedShutdown       = "shutdown"
)

const (
	signalLogs    = "logs"
	signalMetrics = "metrics"
	signalTraces  = "traces"
)

// telemetry logs what is worth a line, but the same thing only once in a while, and counts: in this order, so that a count has its line.
type telemetry struct {
	builder  *metadata.TelemetryBuilder
	logger   *zap.Logger
	messages [messageShards]messageCounts

	mu     sync.Mutex
	logged map[string]time.Time
}

// messageCounts counts messages by kind. Streams are spread over several, each in a line of the CPU's caches of its own: on the hot path
// a counter that all CPUs write to costs more than what it counts.
type messageCounts struct {
	kinds [wire.KindMetrics + 1]atomic.Int64
}

const messageShards = 16

// logInterval is how long the same line is not logged again.
const logInterval = 10 * time.Minute

var messageTypes = [...]attribute.Set{
	wire.KindNone:          attribute.NewSet(attribute.String("type", "other")),
	wire.KindHeartbeat:     attribute.NewSet(attribute.String("type", "heartbeat")),
	wire.KindCommandResult: attribute.NewSet(attribute.String("type", "command_result")),
	wire.KindState:         attribute.NewSet(attribute.String("type", "state")),
	wire.KindLogEntry:      attribute.NewSet(attribute.String("type", "log_entry")),
	wire.KindMetrics:       attribute.NewSet(attribute.String("type", "metrics")),
}

func newTelemetry(r *avikaReceiver) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(r.settings.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder, logger: r.logger, logged: map[string]time.Time{}}
	if err := builder.RegisterMessagesCallback(t.observeMessages); err != nil {
		return nil, err
	}
	if err := builder.RegisterReceiverAvikaStreamsCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(r.streams.len()))
		return nil
	}); err != nil {
		return nil, err
	}
	return t, builder.RegisterReceiverAvikaPendingCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(r.pending.inUse())
		return nil
	})
}

func (t *telemetry) observeMessages(_ context.Context, o metric.Int64Observer) error {
	for kind, set := range messageTypes {
		if set.Len() > 0 {
			o.Observe(t.received(wire.Kind(kind)), metric.WithAttributeSet(set))
		}
	}
	return nil
}

// received is how many messages of a kind there were.
func (t *telemetry) received(kind wire.Kind) (n int64) {
	for i := range t.messages {
		n += t.messages[i].kinds[kind].Load()
	}
	return n
}

// counts returns the counters for the nth stream.
func (t *telemetry) counts(n uint32) *messageCounts { return &t.messages[n%messageShards] }

// refusedStream counts a stream, or a connection that came to none. fields say whose it is, as far as that is known.
func (t *telemetry) refusedStream(reason string, fields ...zap.Field) {
	t.once("stream "+reason, "Refused a stream", append(fields, zap.String("reason", reason))...)
	t.builder.ReceiverAvikaStreamsRefused.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", reason)))
}

func (t *telemetry) refusedMessage(reason, agentID string) {
	t.once("message "+reason, "Refused a message", zap.String("reason", reason), zap.String("agent_id", agentID))
	t.builder.ReceiverAvikaMessagesRefused.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", reason)))
}

func (t *telemetry) limit(limit, message string, fields ...zap.Field) {
	t.once("limit "+limit, message, fields...)
	t.builder.ReceiverAvikaLimitsReached.Add(context.Background(), 1, metric.WithAttributes(attribute.String("limit", limit)))
}

func (t *telemetry) retry(signal string, err error) {
	t.once("retry "+signal, "The pipeline does not take data for now; its agents are held back", zap.String("signal", signal), zap.Error(err))
	t.builder.ReceiverAvikaRetries.Add(context.Background(), 1, metric.WithAttributes(attribute.String("signal", signal)))
}

func (t *telemetry) dropped(signal, reason string, n int, err error) {
	t.once("dropped "+signal+reason, "Dropped data", zap.String("signal", signal), zap.String("reason", reason),
		zap.Int("records", n), zap.Error(err))
	t.builder.ReceiverAvikaRecordsDropped.Add(context.Background(), int64(n),
		metric.WithAttributes(attribute.String("signal", signal), attribute.String("reason", reason)))
}

// translated counts what was odd in log entries.
func (t *telemetry) translated(counts *translate.Counts) {
	t.unparsed("access", counts.UnparsedAccess)
	t.unparsed("error", counts.UnparsedError)
	t.refusedValues(counts.RefusedValues)
	for range counts.Malformed {
		t.refusedMessage(refusedMalformed, "")
	}
}

func (t *telemetry) refusedValues(n int) {
	if n > 0 {
		t.builder.ReceiverAvikaValuesRefused.Add(context.Background(), int64(n))
	}
}

func (t *telemetry) unparsed(line string, n int) {
	if n > 0 {
		t.builder.ReceiverAvikaLinesUnparsed.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String("type", line)))
	}
}

// once logs a warning, unless it did so for the same key not long ago.
func (t *telemetry) once(key, message string, fields ...zap.Field) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if last, seen := t.logged[key]; seen && now.Sub(last) < logInterval {
		return
	}
	t.logged[key] = now
	t.logger.Warn(message, fields...)
}
