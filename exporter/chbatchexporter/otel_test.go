package chbatchexporter

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

var exactTime = pcommon.NewTimestampFromTime(time.Date(2026, 11, 23, 12, 34, 56, 123_456_789, time.UTC))

// everyType has an attribute of each type.
func everyType(m pcommon.Map) {
	m.PutStr("str", "with 'quotes'\nand \x00 bytes \xff")
	m.PutInt("int", -42)
	m.PutDouble("double", 1e21)
	m.PutBool("bool", true)
	m.PutEmpty("empty")
	m.PutEmptyBytes("bytes").FromRaw([]byte{0, 1, 255})
	m.PutEmptySlice("slice").AppendEmpty().SetInt(7)
	m.PutEmptyMap("map").PutEmptyMap("inner").PutStr("k", "v")
}

const everyTypeStored = `{'str':'with \'quotes\'\nand \0 bytes ` + "\xff" + `','int':'-42','double':'1e+21','bool':'true','empty':'',` +
	`'bytes':'AAH/','slice':'[7]','map':'{"inner":{"k":"v"}}'}`

func resource(r pcommon.Resource) {
	r.Attributes().PutStr("service.name", "checkout")
	r.Attributes().PutStr("k8s.pod.name", "checkout-1")
}

func scope(s pcommon.InstrumentationScope) {
	s.SetName("lib")
	s.SetVersion("1.2")
	s.Attributes().PutStr("s", "t")
	s.SetDroppedAttributesCount(3)
}

func TestLogRecordsOfOthersBecomeOTelRows(t *testing.T) {
	cfg := testConfig(t)
	e := startLogs(t, cfg, settings(), nopHost())
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	resource(rl.Resource())
	rl.SetSchemaUrl("res-schema")
	sl := rl.ScopeLogs().AppendEmpty()
	scope(sl.Scope())
	sl.SetSchemaUrl("scope-schema")
	for i := range 2 {
		rec := sl.LogRecords().AppendEmpty()
		rec.SetTimestamp(exactTime)
		rec.SetTraceID([16]byte{0xab})
		rec.SetSpanID([8]byte{0xcd})
		rec.SetFlags(1)
		rec.SetSeverityText("WARN")
		rec.SetSeverityNumber(plog.SeverityNumberWarn)
		rec.SetEventName("login")
		rec.Body().SetEmptyMap().PutStr("msg", "hello")
		if i == 0 {
			everyType(rec.Attributes())
		}
	}
	late := sl.LogRecords().AppendEmpty() // neither time nor attributes
	late.SetObservedTimestamp(exactTime)
	require.NoError(t, e.ConsumeLogs(context.Background(), ld))
	eventually(t, "3", "SELECT count() FROM "+cfg.Database+".otel_logs")
	common := "2026-11-23 12:34:56.123456789|checkout|res-schema|{'service.name':'checkout','k8s.pod.name':'checkout-1'}|scope-schema|lib|1.2|{'s':'t'}|checkout-1|"
	record := "ab000000000000000000000000000000|cd00000000000000|1|WARN|13|login|{\"msg\":\"hello\"}|"
	require.Equal(t, common+record+everyTypeStored+"\n"+common+record+"{}\n"+common+"||0||0|||{}",
		mustQuery(t, `SELECT concatWithSeparator('|', toString(toTimeZone(Timestamp, 'UTC')), ServiceName, ResourceSchemaUrl, toString(ResourceAttributes),
			ScopeSchemaUrl, ScopeName, ScopeVersion, toString(ScopeAttributes), `+"`__otel_materialized_k8s.pod.name`"+`,
			TraceId, SpanId, toString(TraceFlags), SeverityText, toString(SeverityNumber), EventName, Body, toString(LogAttributes)) AS x
			FROM `+cfg.Database+`.otel_logs ORDER BY TraceId DESC, length(LogAttributes) DESC`))
}

func TestErrorRecordsBecomeTypedRows(t *testing.T) {
	cfg := testConfig(t)
	e := startLogs(t, cfg, settings(), nopHost())
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.instance.id", "web-02")
	rec := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetTimestamp(pcommon.NewTimestampFromTime(testTime))
	rec.Body().SetStr("2026/11/23 12:34:56 [error] ...")
	a := rec.Attributes()
	a.PutStr(nginxsemconv.EventNameAttribute, nginxsemconv.EventError) // as an SDK without event names sends it
	a.PutStr(nginxsemconv.ErrorLevel, "error")
	a.PutStr(nginxsemconv.ErrorMessage, "connect() failed")
	a.PutInt("process.pid", 7)
	a.PutInt("thread.id", 8)
	a.PutInt(nginxsemconv.ErrorConnection, 9)
	a.PutStr("client.address", "203.0.113.7")
	a.PutStr("server.address", "shop")
	a.PutStr(nginxsemconv.ErrorRequestLine, "GET / HTTP/1.1")
	a.PutStr(nginxsemconv.UpstreamAddress, "http://10.0.0.1:80/")
	a.PutStr(nginxsemconv.ErrorHost, "shop.example.com")
	require.NoError(t, e.ConsumeLogs(context.Background(), ld))
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".error_logs")
	require.Equal(t, "web-02|error|7|8|9|connect() failed|203.0.113.7|shop|GET / HTTP/1.1|http://10.0.0.1:80/|shop.example.com|2026/11/23 12:34:56 [error] ...",
		mustQuery(t, `SELECT concatWithSeparator('|', instance_id, level, toString(pid), toString(tid), toString(connection), message, client, server,
			request, upstream, host, raw) AS x FROM `+cfg.Database+`.error_logs`))
}

func TestSpansBecomeOTelRows(t *testing.T) {
	cfg := testConfig(t)
	e := startTraces(t, cfg)
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	resource(rs.Resource())
	rs.Resource().Attributes().PutStr(nginxsemconv.AgentID, "web-01")
	ss := rs.ScopeSpans().AppendEmpty()
	scope(ss.Scope())
	span := ss.Spans().AppendEmpty()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{2})
	span.SetParentSpanID([8]byte{3})
	span.TraceState().FromRaw("a=b")
	span.SetName("GET")
	span.SetKind(ptrace.SpanKindServer)
	span.SetStartTimestamp(exactTime)
	span.SetEndTimestamp(exactTime + 1001)
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage("bad")
	everyType(span.Attributes())
	for _, name := range []string{"first", "second"} {
		ev := span.Events().AppendEmpty()
		ev.SetName(name)
		ev.SetTimestamp(exactTime + 1)
		ev.Attributes().PutStr("e", name)
	}
	span.Events().AppendEmpty() // nothing set
	l := span.Links().AppendEmpty()
	l.SetTraceID([16]byte{9})
	l.SetSpanID([8]byte{8})
	l.TraceState().FromRaw("c=d")
	l.Attributes().PutBool("l", true)
	ss.Spans().AppendEmpty().SetStartTimestamp(exactTime)
	require.NoError(t, e.ConsumeTraces(context.Background(), td))
	eventually(t, "2", "SELECT count() FROM "+cfg.Database+".otel_traces")
	require.Equal(t, "2026-11-23 12:34:56.123456789|0300000000000000|a=b|GET|Server|checkout|lib|1.2|"+everyTypeStored+"|1001|Error|bad|"+
		"['first','second','']|[{'e':'first'},{'e':'second'},{}]|['2026-11-23 12:34:56.123456790','2026-11-23 12:34:56.123456790','1970-01-01 00:00:00.000000000']|"+
		"['09000000000000000000000000000000']|['0800000000000000']|['c=d']|[{'l':'true'}]",
		mustQuery(t, `SELECT concatWithSeparator('|', toString(toTimeZone(Timestamp, 'UTC')), ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, ScopeName, ScopeVersion,
			toString(SpanAttributes), toString(Duration), StatusCode, StatusMessage, toString(Events.Name), toString(Events.Attributes),
			toString(arrayMap(x -> toString(toTimeZone(x, 'UTC')), Events.Timestamp)), toString(Links.TraceId), toString(Links.SpanId), toString(Links.TraceState),
			toString(Links.Attributes)) AS x FROM `+cfg.Database+`.otel_traces WHERE SpanId != ''`))
	eventually(t, "01000000000000000000000000000000|2026-11-23 12:34:56|2026-11-23 12:34:56",
		"SELECT concatWithSeparator('|', TraceId, toString(toTimeZone(Start, 'UTC')), toString(toTimeZone(End, 'UTC'))) AS x FROM "+cfg.Database+".otel_traces_trace_id_ts")
	require.Equal(t, "GET|2026-11-23 12:34:56.123456789|2026-11-23 12:34:56.123457790|web-01|v",
		mustQuery(t, `SELECT concatWithSeparator('|', name, toString(toTimeZone(start_time, 'UTC')), toString(toTimeZone(end_time, 'UTC')), instance_id,
			JSONExtractString(attributes['map'], 'inner', 'k')) AS x FROM `+cfg.Database+`.spans WHERE span_id != ''`))
}

func TestMetricsOfAllKindsBecomeOTelRows(t *testing.T) {
	cfg := testConfig(t)
	e := startMetrics(t, cfg)
	require.NoError(t, e.ConsumeMetrics(context.Background(), everyMetric()))
	for table, want := range map[string]string{
		"otel_metrics_gauge":                 "g|desc|1|{'a':'b'}|1.5|1|['0a000000000000000000000000000000']|['0b00000000000000']|[2]|[{'x':'y'}]",
		"otel_metrics_sum":                   "s|7|2|true",
		"otel_metrics_histogram":             "h|3|6|[1,2]|[0.5]|1|4|1",
		"otel_metrics_exponential_histogram": "e|5|9|-1|2|3|[1,2]|-4|[3]|0|8|2",
		"otel_metrics_summary":               "q|2|3|[0.5,0.99]|[1,2]",
	} {
		eventually(t, "1", "SELECT count() FROM "+cfg.Database+"."+table)
		require.Equal(t, want, mustQuery(t, "SELECT "+metricColumns[table]+" AS x FROM "+cfg.Database+"."+table), table)
		require.Equal(t, "checkout|lib|1.2|{'s':'t'}|3|res-schema|scope-schema|2026-11-23 12:34:56|2026-11-23 12:34:55",
			mustQuery(t, `SELECT concatWithSeparator('|', ServiceName, ScopeName, ScopeVersion, toString(ScopeAttributes), toString(ScopeDroppedAttrCount),
				ResourceSchemaUrl, ScopeSchemaUrl, toString(toTimeZone(TimeUnix, 'UTC')), toString(toTimeZone(StartTimeUnix, 'UTC'))) AS x FROM `+cfg.Database+"."+table))
	}
}

var metricColumns = map[string]string{
	"otel_metrics_gauge": `concatWithSeparator('|', MetricName, MetricDescription, MetricUnit, toString(Attributes), toString(Value), toString(Flags),
		toString(Exemplars.TraceId), toString(Exemplars.SpanId), toString(Exemplars.Value), toString(Exemplars.FilteredAttributes))`,
	"otel_metrics_sum":       "concatWithSeparator('|', MetricName, toString(Value), toString(AggregationTemporality), toString(IsMonotonic))",
	"otel_metrics_histogram": "concatWithSeparator('|', MetricName, toString(Count), toString(Sum), toString(BucketCounts), toString(ExplicitBounds), toString(Min), toString(Max), toString(AggregationTemporality))",
	"otel_metrics_exponential_histogram": `concatWithSeparator('|', MetricName, toString(Count), toString(Sum), toString(Scale), toString(ZeroCount), toString(PositiveOffset), toString(PositiveBucketCounts),
		toString(NegativeOffset), toString(NegativeBucketCounts), toString(Min), toString(Max), toString(AggregationTemporality))`,
	"otel_metrics_summary": "concatWithSeparator('|', MetricName, toString(Count), toString(Sum), toString(ValueAtQuantiles.Quantile), toString(ValueAtQuantiles.Value))",
}

func everyMetric() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	resource(rm.Resource())
	rm.SetSchemaUrl("res-schema")
	sm := rm.ScopeMetrics().AppendEmpty()
	scope(sm.Scope())
	sm.SetSchemaUrl("scope-schema")
	start := exactTime - 1_000_000_000

	m := sm.Metrics().AppendEmpty()
	m.SetName("g")
	m.SetDescription("desc")
	m.SetUnit("1")
	g := m.SetEmptyGauge().DataPoints().AppendEmpty()
	g.SetStartTimestamp(start)
	g.SetTimestamp(exactTime)
	g.SetDoubleValue(1.5)
	g.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	g.Attributes().PutStr("a", "b")
	x := g.Exemplars().AppendEmpty()
	x.SetTraceID([16]byte{10})
	x.SetSpanID([8]byte{11})
	x.SetIntValue(2)
	x.SetTimestamp(exactTime)
	x.FilteredAttributes().PutStr("x", "y")

	m = sm.Metrics().AppendEmpty()
	m.SetName("s")
	s := m.SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	sp := s.DataPoints().AppendEmpty()
	sp.SetStartTimestamp(start)
	sp.SetTimestamp(exactTime)
	sp.SetIntValue(7)

	m = sm.Metrics().AppendEmpty()
	m.SetName("h")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	hp := h.DataPoints().AppendEmpty()
	hp.SetStartTimestamp(start)
	hp.SetTimestamp(exactTime)
	hp.SetCount(3)
	hp.SetSum(6)
	hp.SetMin(1)
	hp.SetMax(4)
	hp.BucketCounts().FromRaw([]uint64{1, 2})
	hp.ExplicitBounds().FromRaw([]float64{0.5})

	m = sm.Metrics().AppendEmpty()
	m.SetName("e")
	ex := m.SetEmptyExponentialHistogram()
	ex.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	ep := ex.DataPoints().AppendEmpty()
	ep.SetStartTimestamp(start)
	ep.SetTimestamp(exactTime)
	ep.SetCount(5)
	ep.SetSum(9)
	ep.SetScale(-1)
	ep.SetZeroCount(2)
	ep.SetMax(8)
	ep.Positive().SetOffset(3)
	ep.Positive().BucketCounts().FromRaw([]uint64{1, 2})
	ep.Negative().SetOffset(-4)
	ep.Negative().BucketCounts().FromRaw([]uint64{3})

	m = sm.Metrics().AppendEmpty()
	m.SetName("q")
	qp := m.SetEmptySummary().DataPoints().AppendEmpty()
	qp.SetStartTimestamp(start)
	qp.SetTimestamp(exactTime)
	qp.SetCount(2)
	qp.SetSum(3)
	for q, v := range map[float64]float64{0.5: 1} {
		a := qp.QuantileValues().AppendEmpty()
		a.SetQuantile(q)
		a.SetValue(v)
	}
	a := qp.QuantileValues().AppendEmpty()
	a.SetQuantile(0.99)
	a.SetValue(2)
	return md
}

func TestSamplesOfAgentsBecomeWideRows(t *testing.T) {
	cfg := testConfig(t)
	e := startMetrics(t, cfg)
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(nginxsemconv.AgentID, "web-01")
	rm.Resource().Attributes().PutStr("avika.label.team", "edge")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(nginxsemconv.ScopeName)
	at := pcommon.NewTimestampFromTime(testTime)
	point := func(name string, value any, attrs ...string) {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		p := m.SetEmptySum().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		switch v := value.(type) {
		case int:
			p.SetIntValue(int64(v))
		case float64:
			p.SetDoubleValue(v)
		}
		for i := 0; i < len(attrs); i += 2 {
			p.Attributes().PutStr(attrs[i], attrs[i+1])
		}
	}
	point(nginxsemconv.MetricRequests, 100)
	point(nginxsemconv.MetricConnectionsAccepted, 50)
	point(nginxsemconv.MetricConnectionsHandled, 49)
	for i, state := range []string{"active", "reading", "writing", "waiting"} {
		point(nginxsemconv.MetricConnectionsCurrent, i+1, nginxsemconv.ConnectionState, state)
	}
	for i, r := range []string{"2xx", "3xx", "4xx", "5xx"} {
		point(nginxsemconv.MetricResponseStatus, i+10, nginxsemconv.StatusRange, r)
	}
	point(nginxsemconv.MetricRequestIO, 1000, nginxsemconv.IODirection, nginxsemconv.DirectionIn)
	point(nginxsemconv.MetricRequestIO, 2000, nginxsemconv.IODirection, nginxsemconv.DirectionOut)
	point(nginxsemconv.MetricRequestRate, 12.5)
	point(nginxsemconv.MetricCPUUtilization, 0.5)
	point(nginxsemconv.MetricCPUUtilization, 0.25, "cpu.mode", "user")
	point(nginxsemconv.MetricCPUUtilization, 0.125, "cpu.mode", "system")
	point(nginxsemconv.MetricCPUUtilization, 0.0625, "cpu.mode", "iowait")
	point(nginxsemconv.MetricMemoryUtilization, 0.75)
	point(nginxsemconv.MetricMemoryUsage, 3000, "system.memory.state", "used")
	point(nginxsemconv.MetricMemoryLimit, 4000)
	point(nginxsemconv.MetricNetworkIO, 5000, nginxsemconv.NetworkDirection, nginxsemconv.DirectionIn)
	point(nginxsemconv.MetricNetworkIO, 6000, nginxsemconv.NetworkDirection, nginxsemconv.DirectionOut)
	point(nginxsemconv.MetricNetworkRate, 1.5, nginxsemconv.NetworkDirection, nginxsemconv.DirectionIn)
	point(nginxsemconv.MetricNetworkRate, 2.5, nginxsemconv.NetworkDirection, nginxsemconv.DirectionOut)
	h := sm.Metrics().AppendEmpty() // has no column, and must not be lost
	h.SetName(nginxsemconv.MetricRequestDuration)
	h.SetEmptyHistogram().DataPoints().AppendEmpty().SetTimestamp(at)
	require.NoError(t, e.ConsumeMetrics(context.Background(), md))
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".nginx_metrics")
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".system_metrics")
	eventually(t, "1", "SELECT count() FROM "+cfg.Database+".otel_metrics_histogram")
	require.Equal(t, "2026-11-23 12:34:56.789|web-01|1|50|49|100|2|3|4|12.5|10|11|12|13|1000|2000|{'team':'edge'}", mustQuery(t,
		`SELECT concatWithSeparator('|', toString(toTimeZone(timestamp, 'UTC')), instance_id, toString(active_connections), toString(accepted_connections),
		toString(handled_connections), toString(total_requests), toString(reading), toString(writing), toString(waiting), toString(requests_per_second),
		toString(status_2xx), toString(status_3xx), toString(status_4xx), toString(status_5xx), toString(bytes_in), toString(bytes_out), toString(labels)) AS x
		FROM `+cfg.Database+`.nginx_metrics`))
	require.Equal(t, "web-01|50|75|4000|3000|5000|6000|1.5|2.5|25|12.5|6.25|{'team':'edge'}", mustQuery(t,
		`SELECT concatWithSeparator('|', instance_id, toString(cpu_usage), toString(memory_usage), toString(memory_total), toString(memory_used), toString(network_rx_bytes),
		toString(network_tx_bytes), toString(network_rx_rate), toString(network_tx_rate), toString(cpu_user), toString(cpu_system), toString(cpu_iowait), toString(labels)) AS x
		FROM `+cfg.Database+`.system_metrics`))
}
