package kafka

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestUnreadableRecords are kept aside and counted, and their partition goes on.
func TestUnreadableRecords(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	rubbish := []byte("\x0a\xff\xff\x01 this is no OTLP")
	var records []*kgo.Record
	for partition := range int32(12) {
		records = append(records, &kgo.Record{Topic: w.queue.Topic("logs"), Partition: partition, Value: append(rubbish, byte(partition))})
	}
	require.NoError(t, w.queue.Client.ProduceSync(context.Background(), records...).FirstErr())
	ingest, writer := w.ingest(), w.writer()
	send(t, ingest, 12, 200, 2400)
	w.exactlyOnce(2400)
	files := letters(t, writer, "logs-", ".otlp")
	require.Len(t, files, 12)
	kept, err := os.ReadFile(files[0])
	require.NoError(t, err)
	assert.Equal(t, string(rubbish), string(kept[:len(rubbish)]))
	assert.EqualValues(t, 12, writer.Metrics(t).Sum("otelcol_extension_otlp_encoding_dead_lettered_total", map[string]string{"signal": "logs"}))
}

// TestRecordsTooLarge for a broker are kept aside before they reach it; what came with them goes on, cut to size. The file can be put back.
func TestRecordsTooLarge(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest, _ := w.ingest(), w.writer()
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range 30 { // 3.2 MB in all: more than a record, less than the receiver takes
		size := 90_000
		if i == 15 {
			size = 1_100_000
		}
		rec := records.AppendEmpty()
		rec.Attributes().PutInt("n", int64(i))
		rec.Body().SetStr(strings.Repeat("x", size))
	}
	body, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	post(t, ingest, body)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, 29, w.ch.Uint(c, "SELECT uniqExact(LogAttributes['n']) FROM nginx_analytics.otel_logs"))
	}, settle, 200*time.Millisecond)
	w.caughtUp()
	assert.EqualValues(t, 29, w.ch.Uint(t, "SELECT count() FROM nginx_analytics.otel_logs"))
	assert.EqualValues(t, 1, ingest.Metrics(t).Sum("otelcol_processor_record_limit_dead_lettered_total", nil))
	files := letters(t, ingest, "logs-", ".otlp")
	require.Len(t, files, 1)

	direct := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:quickstart", ClickHouse: w.ch.Addr()})
	kept, err := os.ReadFile(files[0])
	require.NoError(t, err)
	post(t, direct, kept)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, 1_100_000, w.ch.Uint(c, "SELECT max(length(Body)) FROM nginx_analytics.otel_logs WHERE LogAttributes['n'] = '15'"))
	}, harness.WaitFor, harness.Tick)
}

// TestNoRightToWrite: brokers that refuse for good lose nothing; agents are held back until somebody gives the right.
func TestNoRightToWrite(t *testing.T) {
	t.Parallel()
	may := func(resource kmsg.ACLResourceType, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: "*", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "1"),
		kfake.User("PLAIN", "ingest", "2", may(kmsg.ACLResourceTypeTopic, kmsg.ACLOperationDescribe), may(kmsg.ACLResourceTypeCluster, kmsg.ACLOperationIdempotentWrite)))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	q := harness.NewQueue(t, cluster.ListenAddrs()[0], kgo.SASL(plain.Auth{User: "admin", Pass: "1"}.AsMechanism()))
	q.Security = []string{"KAFKA_SASL={mechanism: PLAIN, username: admin, password: '1'}"}
	w := newWayOn(t, q)
	w.writer()
	ingest := w.ingest("KAFKA_SASL={mechanism: PLAIN, username: ingest, password: '2'}")
	stop := w.fleet(ingest, 5, 200)
	require.Eventually(t, func() bool {
		return ingest.Metrics(t).Sum("otelcol_processor_record_limit_rejected_total", map[string]string{"signal": "logs"}) > 2
	}, harness.WaitFor, harness.Tick)
	rights := kadm.NewACLs().Allow("User:ingest").AllowHosts("*").Topics("*").Operations(kadm.OpWrite)
	_, err = q.Admin.CreateACLs(context.Background(), rights)
	require.NoError(t, err)
	w.grows()
	w.exactlyOnce(stop())
	assert.Zero(t, ingest.Metrics(t).Sum("otelcol_receiver_avika_records_dropped_total", nil))
}

func post(t *testing.T, g *harness.Gateway, body []byte) {
	t.Helper()
	resp, err := http.Post(g.OTLPHTTPURL("/v1/logs"), "application/x-protobuf", bytes.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
