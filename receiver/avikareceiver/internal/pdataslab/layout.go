package pdataslab

//lint:file-ignore U1000 structures have pdata's fields, in their order, whether they are set or not

import (
	"reflect"
	"sync/atomic"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// slice, record and attributes are how pdata's public types refer to their content.
type (
	reference[T any] struct {
		orig  *T
		state unsafe.Pointer
	}
	wrapped[T any] struct{ value T }
	// state counts references.
	state struct {
		refs  atomic.Int32
		state uint32
	}
)

// types holds the type words of interfaces that hold pdata's wrappers. Where the layout is not the expected one, they are those of
// our own types, and only convert.go reads them.
var types, sameLayout = findTypes()

// knownState says that references can be read.
var knownState = stateMatches(reflect.TypeFor[plog.Logs]()) && stateMatches(reflect.TypeFor[ptrace.Traces]()) &&
	stateMatches(reflect.TypeFor[pmetric.Metrics]())

func stateMatches(public reflect.Type) bool {
	if public.Kind() != reflect.Struct || public.NumField() != 2 || public.Field(1).Type.Kind() != reflect.Pointer {
		return false
	}
	held := public.Field(1).Type.Elem()
	return public.Field(1).Name == "state" && held.Kind() == reflect.Struct && held.NumField() == 2 && held.Field(0).Name == "refs" &&
		held.Field(0).Type == reflect.TypeFor[atomic.Int32]() && held.Field(0).Offset == 0
}

type typeWords struct {
	text, integer, double, array unsafe.Pointer
}

func findTypes() (typeWords, bool) {
	list := pcommon.NewSlice()
	list.AppendEmpty().SetStr("")
	list.AppendEmpty().SetInt(0)
	list.AppendEmpty().SetDouble(0)
	list.AppendEmpty().SetEmptySlice()
	words, ok := wrapperTypes(list)
	if ok && recordsMatch() && spansMatch() {
		return words, true
	}
	return typeWords{
		text:    typeWord((*wrapped[string])(nil)),
		integer: typeWord((*wrapped[int64])(nil)),
		double:  typeWord((*wrapped[float64])(nil)),
		array:   typeWord((*wrapped[*array])(nil)),
	}, false
}

func typeWord(v any) unsafe.Pointer { return (*Value)(unsafe.Pointer(&v)).typ }

// wrapperTypes returns the types of pdata's wrappers for text, integers, doubles and arrays, if they are what they
// are taken for.
func wrapperTypes(list pcommon.Slice) (words typeWords, ok bool) {
	values, ok := content(reflect.TypeOf(list), reflect.TypeFor[[]Value]())
	if !ok || values.Kind() != reflect.Slice {
		return words, false
	}
	elements := (*reference[[]Value])(unsafe.Pointer(&list)).orig
	for i, want := range []struct {
		word   *unsafe.Pointer
		mirror reflect.Type
	}{
		{&words.text, reflect.TypeFor[wrapped[string]]()},
		{&words.integer, reflect.TypeFor[wrapped[int64]]()},
		{&words.double, reflect.TypeFor[wrapped[float64]]()},
		{&words.array, reflect.TypeFor[wrapped[*array]]()},
	} {
		held := reflect.TypeOf(*(*any)(unsafe.Pointer(&(*elements)[i])))
		if held == nil || held.Kind() != reflect.Pointer || !same(held.Elem(), want.mirror) {
			return words, false
		}
		*want.word = (*elements)[i].typ
	}
	return words, true
}

func recordsMatch() bool {
	_, records := content(reflect.TypeFor[plog.LogRecordSlice](), reflect.TypeFor[[]*LogRecord]())
	_, attributes := content(reflect.TypeFor[pcommon.Map](), reflect.TypeFor[[]KeyValue]())
	return records && attributes
}

func spansMatch() bool {
	_, spans := content(reflect.TypeFor[ptrace.SpanSlice](), reflect.TypeFor[[]*Span]())
	return spans
}

// content returns what a public type of pdata refers to, and whether it lies in memory as mirror does.
func content(public, mirror reflect.Type) (reflect.Type, bool) {
	if public.Kind() != reflect.Struct || public.NumField() != 2 || public.Size() != 2*unsafe.Sizeof(uintptr(0)) {
		return nil, false
	}
	orig, state := public.Field(0), public.Field(1)
	if orig.Name != "orig" || orig.Type.Kind() != reflect.Pointer || state.Type.Kind() != reflect.Pointer {
		return nil, false
	}
	return orig.Type.Elem(), same(orig.Type.Elem(), mirror)
}

// same reports whether two types have the same size, and the same kinds of fields at the same places. A Value
// stands for an interface, or for a struct that holds only one.
func same(theirs, ours reflect.Type) bool {
	if theirs.Size() != ours.Size() || theirs.Align() != ours.Align() {
		return false
	}
	if ours == reflect.TypeFor[Value]() {
		return isEmptyInterface(theirs)
	}
	if ours == reflect.TypeFor[emptySlice]() {
		return theirs.Kind() == reflect.Slice
	}
	if ours.Kind() == reflect.UnsafePointer {
		return theirs.Kind() == reflect.Pointer
	}
	if theirs.Kind() != ours.Kind() {
		return false
	}
	switch ours.Kind() {
	case reflect.Slice, reflect.Pointer:
		return same(theirs.Elem(), ours.Elem())
	case reflect.Array:
		return theirs.Len() == ours.Len() && same(theirs.Elem(), ours.Elem())
	case reflect.Struct:
		return sameFields(theirs, ours)
	default:
		return true
	}
}

func isEmptyInterface(t reflect.Type) bool {
	if t.Kind() == reflect.Struct && t.NumField() == 1 {
		t = t.Field(0).Type
	}
	return t.Kind() == reflect.Interface && t.NumMethod() == 0
}

// fieldNames translates where our names are not pdata's, so that two fields of one kind cannot change places unnoticed.
var fieldNames = map[string]string{
	"Time": "TimeUnixNano", "ObservedTime": "ObservedTimeUnixNano", "Severity": "SeverityNumber", "dropped": "DroppedAttributesCount",
	"TraceID": "TraceId", "SpanID": "SpanId", "ParentID": "ParentSpanId", "Start": "StartTimeUnixNano", "End": "EndTimeUnixNano",
	"traceState": "TraceState", "events": "Events", "links": "Links", "droppedEvents": "DroppedEventsCount",
	"description": "Description", "data": "Data", "metadata": "Metadata", "exemplars": "Exemplars", "points": "DataPoints",
	"temporality": "AggregationTemporality", "monotonic": "IsMonotonic", "droppedLinks": "DroppedLinksCount", "strindex": "KeyStrindex", "values": "Values",
}

func sameFields(theirs, ours reflect.Type) bool {
	if theirs.NumField() != ours.NumField() {
		return false
	}
	for i := range ours.NumField() {
		a, b := theirs.Field(i), ours.Field(i)
		name := b.Name
		if theirName, ok := fieldNames[name]; ok {
			name = theirName
		}
		if name != "value" && a.Name != name || a.Offset != b.Offset || !same(a.Type, b.Type) {
			return false
		}
	}
	return true
}
