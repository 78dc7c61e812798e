package pdataslab

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"
)

func TestLayoutIsTheExpectedOne(t *testing.T) {
	require.True(t, knownState, "pdata counts references in another way")
	require.True(t, sameMetricLayout, "pdata has changed: update the mirrored metrics, or accept that the slow path is used")
	require.True(t, sameLayout, "pdata has changed: update the mirrored types, or accept that the slow path is used")
}

func buildLogs(slab *Slab, n int) plog.Logs {
	records := make([]*LogRecord, n)
	for i := range records {
		record := slab.Record()
		record.Body = slab.String(slab.Copy(fmt.Appendf(nil, "line %d", i)))
		record.EventName, record.SeverityText, record.Severity = "nginx.access", "INFO", 9
		record.Time, record.ObservedTime, record.Flags = uint64(i), uint64(i)+1, 1
		record.TraceID, record.SpanID = [16]byte{1, byte(i)}, [8]byte{2, byte(i)}
		slab.Open(8)
		slab.PutString("text", "value")
		slab.PutString("absent", "")
		slab.Put("int", slab.Int(int64(i)))
		slab.Put("double", slab.Float(0.5))
		list, elements := slab.Array(2)
		elements[0], elements[1] = slab.String("a"), slab.Int(7)
		slab.Put("list", list)
		record.Attributes = slab.Close()
		records[i] = record
	}
	logs := plog.NewLogs()
	Logs(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords(), records)
	return logs
}

func wantLogs(n int) plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		record := records.AppendEmpty()
		record.Body().SetStr(fmt.Sprintf("line %d", i))
		record.SetEventName("nginx.access")
		record.SetSeverityText("INFO")
		record.SetSeverityNumber(plog.SeverityNumberInfo)
		record.SetTimestamp(pcommon.Timestamp(i))
		record.SetObservedTimestamp(pcommon.Timestamp(i + 1))
		record.SetFlags(1)
		record.SetTraceID([16]byte{1, byte(i)})
		record.SetSpanID([8]byte{2, byte(i)})
		record.Attributes().PutStr("text", "value")
		record.Attributes().PutInt("int", int64(i))
		record.Attributes().PutDouble("double", 0.5)
		list := record.Attributes().PutEmptySlice("list")
		list.AppendEmpty().SetStr("a")
		list.AppendEmpty().SetInt(7)
	}
	return logs
}

// bothPaths runs a test with our structures handed over as they are, and converted.
func bothPaths(t *testing.T, test func(t *testing.T)) {
	t.Run("direct", test)
	t.Run("converted", func(t *testing.T) {
		gate := pref.UseProtoPooling
		require.NoError(t, featuregate.GlobalRegistry().Set(gate.ID(), true))
		defer func() { require.NoError(t, featuregate.GlobalRegistry().Set(gate.ID(), false)) }()
		test(t)
	})
	t.Run("foreign layout", func(t *testing.T) {
		before := sameLayout
		sameLayout = false
		defer func() { sameLayout = before }()
		test(t)
	})
}

func TestLogsEqualWhatThePublicFunctionsBuild(t *testing.T) {
	bothPaths(t, func(t *testing.T) {
		var slab Slab
		for _, n := range []int{1, 3, 1000} {
			got, want := buildLogs(&slab, n), wantLogs(n)
			require.True(t, pref.EqualLogs(want, got), "%d records", n)
			clone := plog.NewLogs()
			got.CopyTo(clone)
			require.True(t, pref.EqualLogs(want, clone))
		}
	})
}

func TestSpansEqualWhatThePublicFunctionsBuild(t *testing.T) {
	bothPaths(t, func(t *testing.T) {
		var slab Slab
		span := slab.Span()
		span.Name, span.Kind, span.Status = "GET", 2, Status{Message: "m", Code: 2}
		span.Start, span.End, span.Flags = 1, 2, 257
		span.TraceID, span.SpanID, span.ParentID = [16]byte{1}, [8]byte{2}, [8]byte{3}
		slab.Open(1)
		slab.PutString("text", "value")
		span.Attributes = slab.Close()
		got := ptrace.NewTraces()
		Spans(got.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans(), []*Span{span})

		want := ptrace.NewTraces()
		expected := want.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		expected.SetName("GET")
		expected.SetKind(ptrace.SpanKindServer)
		expected.Status().SetCode(ptrace.StatusCodeError)
		expected.Status().SetMessage("m")
		expected.SetStartTimestamp(1)
		expected.SetEndTimestamp(2)
		expected.SetFlags(257)
		expected.SetTraceID([16]byte{1})
		expected.SetSpanID([8]byte{2})
		expected.SetParentSpanID([8]byte{3})
		expected.Attributes().PutStr("text", "value")
		require.True(t, pref.EqualTraces(want, got))
	})
}

// Consumers may change a clone, or the original when they must; neither may reach into a neighbour.
func TestAppendingToOneRecordLeavesTheNextAlone(t *testing.T) {
	var slab Slab
	logs := buildLogs(&slab, 2)
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	records.At(0).Attributes().PutStr("more", "x")
	records.At(0).Body().SetStr("changed")
	list, _ := records.At(0).Attributes().Get("list")
	list.Slice().AppendEmpty().SetInt(1)
	want := wantLogs(2).ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1)
	got := records.At(1)
	require.Equal(t, want.Attributes().AsRaw(), got.Attributes().AsRaw())
	require.Equal(t, "line 1", got.Body().Str())
}

func TestRecycledSlabsBuildTheSame(t *testing.T) {
	var slab Slab
	slab.Keep()
	for _, n := range []int{1000, 1, 3, 700, 1000} {
		got := buildLogs(&slab, n)
		require.True(t, pref.EqualLogs(wantLogs(n), got), "%d records", n)
		slab.Recycle()
	}
	kept := buildLogs(&slab, 500)
	slab.Forget()
	buildLogs(&slab, 500)
	slab.Recycle()
	buildLogs(&slab, 1000)
	require.True(t, pref.EqualLogs(wantLogs(500), kept), "what was forgotten is left alone")
}

func TestRecycledSlabsAllocateNothing(t *testing.T) {
	var slab Slab
	slab.Keep()
	body := []byte("GET / HTTP/1.1")
	build := func() {
		for range 1000 {
			record := slab.Record()
			record.Body = slab.String(string(body[:3]))
			slab.Open(4)
			slab.Put("int", slab.Int(1))
			slab.Put("double", slab.Float(1))
			list, elements := slab.Array(2)
			elements[0], elements[1] = slab.Int(1), slab.Int(2)
			slab.Put("list", list)
			record.Attributes = slab.Close()
		}
		slab.Recycle()
	}
	build()
	require.LessOrEqual(t, testing.AllocsPerRun(10, build), 1010.0, "the strings of this test alone")
}

func TestSpareIsBounded(t *testing.T) {
	var slab Slab
	slab.Keep()
	for range 100_000 {
		slab.Open(22)
		for range 22 {
			slab.Put("k", Value{})
		}
		slab.Close()
	}
	slab.Recycle()
	require.LessOrEqual(t, len(slab.pairs.spare), maxSpare)
}

func TestHeldAlone(t *testing.T) {
	logs, traces := plog.NewLogs(), ptrace.NewTraces()
	require.True(t, HeldAlone(logs))
	require.True(t, SpansHeldAlone(traces))
	pref.RefLogs(logs)
	pref.RefTraces(traces)
	require.False(t, HeldAlone(logs))
	require.False(t, SpansHeldAlone(traces))
	pref.UnrefLogs(logs)
	pref.UnrefTraces(traces)
	require.True(t, HeldAlone(logs))
	require.True(t, SpansHeldAlone(traces))
}

func TestSlabAllocatesPerBatch(t *testing.T) {
	var slab Slab
	const n = 1000
	body := []byte("GET / HTTP/1.1")
	allocations := testing.AllocsPerRun(10, func() {
		for range n {
			record := slab.Record()
			record.Body = slab.String(slab.Copy(body))
			slab.Open(4)
			slab.Put("int", slab.Int(1))
			slab.Put("double", slab.Float(1))
			record.Attributes = slab.Close()
		}
	})
	require.LessOrEqual(t, allocations/n, 0.05)
}

// BenchmarkRecord compares a record with 22 attributes laid out in slabs with one that goes through pdata's functions.
func BenchmarkRecord(b *testing.B) {
	keys := make([]string, 22)
	for i := range keys {
		keys[i] = fmt.Sprintf("attribute.%d", i)
	}
	for name, same := range map[string]bool{"slabs": true, "public functions": false} {
		b.Run(name, func(b *testing.B) {
			defer func(before bool) { sameLayout = before }(sameLayout)
			sameLayout = same
			const size = 250
			var slab Slab
			b.ReportAllocs()
			for i := 0; i < b.N; i += size {
				records := make([]*LogRecord, size)
				for n := range records {
					records[n] = slab.Record()
					slab.Open(len(keys))
					for _, key := range keys {
						slab.Put(key, slab.String(key))
					}
					records[n].Attributes = slab.Close()
				}
				logs := plog.NewLogs()
				Logs(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords(), records)
			}
		})
	}
}
