package logline

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// said is what an access line says, for comparison.
type said struct {
	texts       map[Field]string
	status      int32
	body, sent  int64
	requestTime float64
	time        string
	precise     bool
}

func read(a *Access) said {
	s := said{map[Field]string{}, a.Status, a.BodyBytes, a.BytesSent, a.RequestTime, "", a.Precise}
	for field := none + 1; field < request; field++ {
		if text, _ := a.Text(field); len(text) > 0 {
			s.texts[field] = string(text)
		}
	}
	if a.Time != 0 {
		s.time = time.Unix(0, a.Time).UTC().Format(time.RFC3339Nano)
	}
	return s
}

var accessLines = []struct {
	name, line string
	ok         bool
	want       said
}{
	{
		"the agent's keys", `{"ts":"2026-01-02T03:04:05.678Z","req_id":"r","client":"192.0.2.1","xff":"198.51.100.1","method":"GET","path":"/a?b","status":200,"bytes":12,"rt":0.123,"uct":"0.001","uht":"0.1","urt":"0.12","upstream":"10.0.0.1:80","ustatus":"200","referer":"-","ua":"curl"}`, true,
		said{map[Field]string{
			RequestID: "r", RemoteAddr: "192.0.2.1", ForwardedFor: "198.51.100.1", Method: "GET", URI: "/a?b", UpstreamConnectTime: "0.001",
			UpstreamHeaderTime: "0.1", UpstreamResponseTime: "0.12", UpstreamAddr: "10.0.0.1:80", UpstreamStatus: "200", UserAgent: "curl",
		}, 200, 12, -1, 0.123, "2026-01-02T03:04:05.678Z", true},
	},
	{
		"NGINX's names, numbers as strings", `{"msec":"1767323045.678","status":"404","body_bytes_sent":"7","bytes_sent":"90","request_time":"1.5","request":"POST /x y HTTP/2.0","http_host":"h","scheme":"https","upstream_cache_status":"HIT","trace_id":"t","span_id":"s","http_traceparent":"p"}`, true,
		said{
			map[Field]string{Method: "POST", URI: "/x y", Protocol: "HTTP/2.0", Host: "h", Scheme: "https", CacheStatus: "HIT", TraceID: "t", SpanID: "s", Traceparent: "p"},
			404, 7, 90, 1.5, "2026-01-02T03:04:05.678Z", true,
		},
	},
	{
		"escapes of JSON and of NGINX", `{"ua":"a\"b\\c\/d\u00e9\ud83d\ude00\x22\n","path":"\ud800x\q"}`, true,
		said{map[Field]string{UserAgent: "a\"b\\c/dé😀\"\n", URI: "\uFFFDx\\q"}, 0, -1, -1, -1, "", false},
	},
	{
		"white space, nested values, literals", " { \"a\" : {\"status\":1,\"x\":[\"}\"]} , \"b\":[1,[2]], \"c\":null,\"d\":true, \"status\" : 301 } ", true,
		said{map[Field]string{}, 301, -1, -1, -1, "", false},
	},
	{"empty object", `{}`, true, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"cut off", `{"status":200,"ua":"Mozil`, false, said{map[Field]string{}, 200, -1, -1, -1, "", false}},
	{"no value", `{"status":`, false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"no colon", `{"status" 200}`, false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"no comma", `{"status":200 "bytes":1}`, false, said{map[Field]string{}, 200, -1, -1, -1, "", false}},
	{"unbalanced", `{"a":[{"b":1}`, false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"numbers that cannot be", `{"status":-1,"bytes":-5,"sent":99999999999999999999,"rt":-0.1,"ts":"2026-13-01T00:00:00Z","msec":"9e99"}`, true, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{
		"numbers at the edge", `{"status":700,"bytes":9223372036854775807,"rt":1e3,"msec":9223372035.999999999}`, true,
		said{map[Field]string{}, 700, 9223372036854775807, -1, 1000, "2262-04-11T23:47:15.999999999Z", true},
	},
	{"a time without fraction gives way", `{"ts":"2026-01-02T03:04:05+01:00","msec":"1767323045.678"}`, true, said{map[Field]string{}, 0, -1, -1, -1, "2026-01-02T03:04:05.678Z", true}},
	{"a time with fraction stays", `{"msec":"1767323045.678","ts":"2026-01-02T03:04:05+01:00"}`, true, said{map[Field]string{}, 0, -1, -1, -1, "2026-01-02T03:04:05.678Z", true}},
	{
		"combined", `192.0.2.1 - joe [02/Jan/2026:04:04:05 +0100] "GET /a?b=\x22c HTTP/1.1" 200 512 "http://r/" "Mozilla \"x\""`, true,
		said{map[Field]string{RemoteAddr: "192.0.2.1", Method: "GET", URI: "/a?b=\"c", Protocol: "HTTP/1.1", Referer: "http://r/", UserAgent: `Mozilla "x"`}, 200, 512, -1, -1, "2026-01-02T03:04:05Z", false},
	},
	{
		"main, and pairs behind it", `::1 - - [02/Jan/2026:03:04:05 +0000] "-" 400 0 "-" "-" "198.51.100.1" rt=0.25 uct="0.1, -" junk request_id=abc host=`, true,
		said{map[Field]string{RemoteAddr: "::1", ForwardedFor: "198.51.100.1", UpstreamConnectTime: "0.1, -", RequestID: "abc"}, 400, 0, -1, 0.25, "2026-01-02T03:04:05Z", false},
	},
	{
		"a request that is none", `192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "\x16\x03\x01" 400 150 "-" "-"`, true,
		said{map[Field]string{RemoteAddr: "192.0.2.1"}, 400, 150, -1, -1, "2026-01-02T03:04:05Z", false},
	},
	{
		"a user with spaces and brackets", `192.0.2.1 - a [b] c [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.0" 401 5`, true,
		said{map[Field]string{RemoteAddr: "192.0.2.1", Method: "GET", URI: "/", Protocol: "HTTP/1.0"}, 401, 5, -1, -1, "", false},
	},
	{"text", "hello", false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"nothing", "", false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"a status that is none", `192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.0" x 5`, false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
	{"an unclosed request", `192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET / `, false, said{map[Field]string{}, 0, -1, -1, -1, "", false}},
}

func TestAccess(t *testing.T) {
	for _, test := range accessLines {
		t.Run(test.name, func(t *testing.T) {
			var a Access
			require.Equal(t, test.ok, a.Parse([]byte(test.line)))
			require.Equal(t, test.want, read(&a))
		})
	}
}

// A line of a known shape must be read as it is read without knowing the shape, whatever came before.
func TestShapeChangesNothing(t *testing.T) {
	for _, teacher := range accessLines {
		for _, test := range accessLines {
			var a Access
			a.Parse([]byte(teacher.line))
			require.Equal(t, test.ok, a.Parse([]byte(test.line)), "%s after %s", test.name, teacher.name)
			require.Equal(t, test.want, read(&a), "%s after %s", test.name, teacher.name)
		}
	}
}

func TestShapeIsLearnedAgain(t *testing.T) {
	var a Access
	a.Parse([]byte(`{"a":1,"status":1}`))
	require.Len(t, a.shape.keys, 2)
	for i := range 2 * relearnAfter {
		a.Parse([]byte(`{"a":1,"b":"x","status":2}`))
		require.Equal(t, int32(2), a.Status, "line %d", i)
	}
	require.Len(t, a.shape.keys, 3)
	misses := a.shape.misses
	a.Parse([]byte(`{"a":1,"b":"y","status":2}`))
	require.Equal(t, misses, a.shape.misses)
}

func TestShapeIsBounded(t *testing.T) {
	var a Access
	require.True(t, a.Parse([]byte(`{"`+strings.Repeat("k", maxShapeBytes)+`":1}`)))
	require.Empty(t, a.shape.keys)
	require.True(t, a.Parse([]byte(`{"k":1`+strings.Repeat(`,"k":1`, maxShapeKeys)+`}`)))
	require.Empty(t, a.shape.keys)
}

func TestParsingDoesNotAllocate(t *testing.T) {
	var a Access
	line := []byte(accessLines[0].line)
	escaped := []byte(accessLines[2].line)
	require.Zero(t, testing.AllocsPerRun(1000, func() { a.Parse(line) }))
	require.Zero(t, testing.AllocsPerRun(1000, func() { a.Parse(escaped) }))
}

func TestScratchOfALongLineIsNotKept(t *testing.T) {
	var a Access
	require.True(t, a.Parse([]byte(`{"ua":"\n`+strings.Repeat("x", 4*maxKeptScratch)+`"}`)))
	a.Parse([]byte(`{}`))
	require.LessOrEqual(t, cap(a.scratch), maxKeptScratch)
}

func TestTimes(t *testing.T) {
	var c clock
	for _, test := range []struct{ text, want string }{
		{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
		{"2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"},
		{"2026-01-02 03:04:05.5-0230", "2026-01-02T05:34:05.5Z"},
		{"2024-02-29T23:59:60+00:00", "2024-03-01T00:00:00Z"},
		{"1970-01-01T00:00:00.1Z", ""},
		{"2026-01-02T03:04:05", ""},
		{"2026-01-02T03:04:05+24:00", ""},
		{"2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Z"},
		{"2026-01-02T03:04:0xZ", ""},
		{"9999-01-02T03:04:05Z", ""},
	} {
		got := ""
		if nanos, _ := c.parseRFC3339([]byte(test.text)); nanos != 0 {
			got = time.Unix(0, nanos).UTC().Format(time.RFC3339Nano)
		}
		require.Equal(t, test.want, got, test.text)
	}
}

func TestTimeAgreesWithPackageTime(t *testing.T) {
	var c clock
	for at := time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC); at.Year() < 2262; at = at.Add(37*24*time.Hour + 12345*time.Second) {
		nanos, _ := c.parseRFC3339([]byte(at.Format(time.RFC3339)))
		require.Equal(t, at.UnixNano(), nanos, at)
		require.Equal(t, at.UnixNano(), parseTimeLocal([]byte(at.Format("02/Jan/2006:15:04:05 -0700"))), at)
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "0.123": 0.123, "12": 12, "1.": 1, "123456789012345.5": 123456789012345.5, "1e-3": 0.001} {
		got, ok := ParseSeconds([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-", "-1", "NaN", "+Inf", "1.2.3", "x", "1e999", "."} {
		got, ok := ParseSeconds([]byte(text))
		require.False(t, ok && text != ".", "%s is %v", text, got)
	}
}

func TestAttempts(t *testing.T) {
	for list, want := range map[string][]string{
		"":                                     {""},
		"10.0.0.1:80":                          {"10.0.0.1:80"},
		"10.0.0.1:80, [fd00::2]:80":            {"10.0.0.1:80", "[fd00::2]:80"},
		"10.0.0.1:80, 10.0.0.2:80 : unix:/s:1": {"10.0.0.1:80", "10.0.0.2:80", "unix:/s:1"},
		"0.1, - : 0.2":                         {"0.1", "-", "0.2"},
		", ":                                   {"", ""},
		"a,b":                                  {"a,b"},
		"fd00::1 :":                            {"fd00::1 :"},
	} {
		var got []string
		rest, more := []byte(list), true
		for more {
			var entry []byte
			entry, rest, more = NextAttempt(rest)
			got = append(got, string(entry))
		}
		require.Equal(t, want, got, list)
	}
	require.EqualValues(t, 502, ParseStatus([]byte("502")))
	require.EqualValues(t, 0, ParseStatus([]byte("-")))
	require.EqualValues(t, 0, ParseStatus([]byte("-1")))
	require.InDelta(t, -1, ParseDuration([]byte("-")), 0)
}

func FuzzAccess(f *testing.F) {
	for _, test := range accessLines {
		f.Add([]byte(accessLines[0].line), []byte(test.line))
	}
	f.Fuzz(func(t *testing.T, teacher, line []byte) {
		var fresh, taught Access
		taught.Parse(teacher)
		ok := fresh.Parse(line)
		require.Equal(t, ok, taught.Parse(line))
		require.Equal(t, read(&fresh), read(&taught))
		require.GreaterOrEqual(t, fresh.Time, int64(0))
		require.False(t, fresh.RequestTime < 0 && fresh.RequestTime != -1)
	})
}

func FuzzAttempts(f *testing.F) {
	f.Add([]byte("10.0.0.1:80, - : [::1]:1"))
	f.Fuzz(func(t *testing.T, list []byte) {
		length, entries := 0, 0
		rest, more := list, true
		for more {
			var entry []byte
			entry, rest, more = NextAttempt(rest)
			length += len(entry)
			entries++
			ParseStatus(entry)
			ParseDuration(entry)
		}
		require.LessOrEqual(t, length+2*(entries-1), len(list))
	})
}

func BenchmarkAccess(b *testing.B) {
	for name, line := range map[string]string{"json": accessLines[0].line, "combined": accessLines[len(accessLines)-7].line} {
		b.Run(name, func(b *testing.B) {
			var a Access
			text := []byte(line)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				a.Parse(text)
			}
		})
	}
}
