package traffic

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/nginxlog"
)

// Placeholders have the width of what replaces them, and occur in no simulated value.
var (
	idHole     = strings.Repeat("~", 32)
	msecHole   = "9876543210.987" // a number, so that the line can be read with it
	isoHole    = strings.Repeat("^", len(isoLayout))
	commonHole = strings.Repeat("^", len(commonLayout))
)

const (
	isoLayout    = "2006-01-02T15:04:05+00:00"
	commonLayout = "02/Jan/2006:15:04:05 +0000"
)

// line writes the request as NGINX would, with holes for time and id.
func (q *request) line(format nginxlog.Format) string {
	if format == nginxlog.Combined {
		return q.combined()
	}
	return q.json()
}

// json is a line of deploy/nginx/avika-log-format.conf.
func (q *request) json() string {
	return fmt.Sprintf(`{"ts":"%s","req_id":"%s","client":"%s","xff":"%s","method":"%s","path":"%s","status":%d,`+
		`"bytes":%d,"rt":%.3f,"uct":"%s","uht":"%s","urt":"%s","upstream":"%s","ustatus":"%s","referer":"%s","ua":"%s",`+
		`"msec":%s,"host":"%s","scheme":"%s","proto":"%s","sent":%d,"cache_status":"%s","traceparent":""}`,
		isoHole, idHole, q.client, q.forwardedFor, q.method, q.uri, q.status, q.bodyBytes, q.seconds,
		q.list(func(a attempt) string { return milliseconds(a.connect) }),
		q.list(func(a attempt) string { return milliseconds(a.header) }),
		q.list(func(a attempt) string { return milliseconds(a.answer) }),
		q.list(func(a attempt) string { return a.address }),
		q.list(func(a attempt) string { return statusText(a.status) }),
		q.referer, q.userAgent, msecHole, q.host, q.scheme, q.protocol, q.sentBytes, q.cache)
}

// combined has no place for an id, so it stands in the query string.
func (q *request) combined() string {
	mark := "?"
	if strings.Contains(q.uri, "?") {
		mark = "&"
	}
	return q.client + " - - [" + commonHole + `] "` + q.method + " " + q.uri + mark + "rid=" + idHole + " " + q.protocol +
		`" ` + strconv.Itoa(q.status) + " " + strconv.FormatInt(q.bodyBytes, 10) +
		` "` + dash(q.referer) + `" "` + dash(q.userAgent) + `"`
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
