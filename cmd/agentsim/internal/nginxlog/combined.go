package nginxlog

import (
	"strconv"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// readCombined fills e from
//
//	$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
//
// and leaves it untouched when the line differs, or when the request is not three words (a TLS handshake on a
// plaintext port, say).
func readCombined(line string, e *agentv1.LogEntry) {
	c := cursor{rest: line}
	remote := c.until(" - ")
	c.until(" [")
	when := c.until(`] "`)
	request := strings.Split(c.until(`" `), " ")
	status, errStatus := strconv.ParseInt(c.until(" "), 10, 32)
	size, errSize := strconv.ParseInt(c.until(` "`), 10, 64)
	referer := c.until(`" "`)
	agent := c.until(`"`)
	if c.failed || errStatus != nil || errSize != nil || len(request) != 3 {
		return
	}
	if t, err := time.Parse("02/Jan/2006:15:04:05 -0700", when); err == nil {
		e.Timestamp = t.Unix()
	}
	e.RemoteAddr, e.RequestMethod, e.RequestUri = remote, request[0], request[1]
	e.Status, e.BodyBytesSent, e.Referer, e.UserAgent = int32(status), size, referer, agent
	e.XForwardedFor = trailingQuoted(c.rest)
}

// trailingQuoted is what stands in quotes behind the combined format: X-Forwarded-For in NGINX's own "main" format.
func trailingQuoted(rest string) string {
	c := cursor{rest: rest}
	c.until(`"`)
	value := c.until(`"`)
	if c.failed || value == "-" {
		return ""
	}
	return value
}

// cursor cuts a line at separators; once one is missing it stays failed.
type cursor struct {
	rest   string
	failed bool
}

func (c *cursor) until(sep string) string {
	before, after, found := strings.Cut(c.rest, sep)
	if !found {
		c.failed = true
		return ""
	}
	c.rest = after
	return before
}
