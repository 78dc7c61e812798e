package nginxlog

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

var now = time.Unix(1_800_000_000, 0).UTC()

const fullJSON = `{"ts":"2026-03-01T12:00:05+01:00","req_id":"0af7651916cd43dd8448eb211c80319c","client":"203.0.113.7",` +
	`"xff":"198.51.100.1, 10.0.0.1","method":"GET","path":"/a?b=c","status":200,"bytes":512,"rt":0.123,"uct":"0.001",` +
	`"uht":"0.100","urt":"0.120","upstream":"10.0.0.5:8080","ustatus":"200","referer":"https://example.com/",` +
	`"ua":"curl/8","msec":1772362805.123,"host":"example.com"}`

func TestAccess(t *testing.T) {
	full := &agentv1.LogEntry{
		Timestamp: 1772362805, RequestId: "0af7651916cd43dd8448eb211c80319c", RemoteAddr: "203.0.113.7",
		XForwardedFor: "198.51.100.1, 10.0.0.1", RequestMethod: "GET", RequestUri: "/a?b=c", Status: 200, BodyBytesSent: 512,
		RequestTime: 0.123, UpstreamConnectTime: 0.001, UpstreamHeaderTime: 0.1, UpstreamResponseTime: 0.12,
		UpstreamAddr: "10.0.0.5:8080", UpstreamStatus: "200", Referer: "https://example.com/", UserAgent: "curl/8",
	}
	several := proto.CloneOf(full)
	several.UpstreamConnectTime, several.UpstreamHeaderTime, several.UpstreamResponseTime = 0, 0, 0
	several.UpstreamAddr, several.UpstreamStatus = "10.0.0.5:8080, 10.0.0.6:8080", "502, 200"
	severalLine := strings.NewReplacer(`"0.001"`, `"-, 0.001"`, `"0.100"`, `"-, 0.100"`, `"0.120"`, `"0.001, 0.120"`,
		`"10.0.0.5:8080"`, `"10.0.0.5:8080, 10.0.0.6:8080"`, `"ustatus":"200"`, `"ustatus":"502, 200"`).Replace(fullJSON)
	const combined = `203.0.113.7 - bob [01/Mar/2026:12:00:05 +0100] "GET /a?b=c HTTP/1.1" 404 512 "-" "curl/8"`
	common := &agentv1.LogEntry{
		Timestamp: 1772362805, RemoteAddr: "203.0.113.7", RequestMethod: "GET", RequestUri: "/a?b=c", Status: 404,
		BodyBytesSent: 512, Referer: "-", UserAgent: "curl/8",
	}
	forwarded := proto.CloneOf(common)
	forwarded.XForwardedFor = "198.51.100.1"
	unread := &agentv1.LogEntry{Timestamp: now.Unix()}
	for _, test := range []struct {
		name   string
		format Format
		line   string
		want   *agentv1.LogEntry
	}{
		{"JSON", JSON, fullJSON, full},
		{"JSON by itself", Auto, fullJSON, full},
		{"several attempts", JSON, severalLine, several},
		{"status as a string", JSON, strings.Replace(fullJSON, "200,", `"200",`, 1), unread},
		{"broken JSON", Auto, fullJSON[:100], unread},
		{"time that is none", JSON, `{"ts":"x","status":9}`, &agentv1.LogEntry{Timestamp: now.Unix(), Status: 9}},
		{"combined", Combined, combined, common},
		{"combined by itself", Auto, combined, common},
		{"main", Auto, combined + ` "198.51.100.1"`, forwarded},
		{"main without", Auto, combined + ` "-"`, common},
		{"combined read as JSON", JSON, combined, unread},
		{"JSON read as combined", Combined, fullJSON, unread},
		{"TLS on a plaintext port", Auto, `1.2.3.4 - - [01/Mar/2026:12:00:05 +0100] "\x16\x03\x01" 400 157 "-" "-"`, unread},
		{"error line", Auto, `2026/03/01 12:00:05 [error] 7#7: *1 open() "/x" failed`, unread},
		{"empty", Auto, "", unread},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := proto.CloneOf(test.want)
			want.LogType, want.Content = "access", test.line
			if got := test.format.Access([]byte(test.line), now); !proto.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestError(t *testing.T) {
	const line = "2026/03/01 12:00:05 [error] 7#7: *1 open() failed"
	if got := Error([]byte(line), now); got.Timestamp != 1772366405 || got.LogType != "error" || got.Content != line {
		t.Errorf("got %v", got)
	}
	if got := Error([]byte("odd"), now); got.Timestamp != now.Unix() {
		t.Errorf("got %v", got)
	}
}

func TestParseFormat(t *testing.T) {
	if f, err := ParseFormat("combined"); f != Combined || err != nil {
		t.Error(f, err)
	}
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Error(err)
	}
}

func FuzzAccess(f *testing.F) {
	f.Add([]byte(fullJSON))
	f.Add([]byte(`203.0.113.7 - bob [01/Mar/2026:12:00:05 +0100] "GET / HTTP/1.1" 200 1 "-" "curl" "x"`))
	f.Add([]byte("{\"status\":200,\"ua\":\"\xff\x00\"}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, format := range []Format{JSON, Combined, Auto} {
			e := format.Access(line, now)
			if e.Content != string(line) || e.LogType != "access" {
				t.Fatalf("content or type changed: %v", e)
			}
		}
	})
}
