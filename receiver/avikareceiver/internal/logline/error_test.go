package logline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestError(t *testing.T) {
	const start = "2026/01/02 03:04:05 [error] 12#34: *56 "
	b := func(s string) []byte {
		if s == "" {
			return nil
		}
		return []byte(s)
	}
	for _, test := range []struct {
		name, line, message, client, server, request, upstream, host, referrer string
	}{
		{
			"with everything", `connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.1, server: example.com, request: "GET /a HTTP/1.1", upstream: "http://10.0.0.1:80/a", host: "example.com", referrer: "http://r/"`,
			"connect() failed (111: Connection refused) while connecting to upstream", "192.0.2.1", "example.com", "GET /a HTTP/1.1", "http://10.0.0.1:80/a", "example.com", "http://r/",
		},
		{"a subrequest is left out", `x, client: ::1, server: , request: "GET / HTTP/1.1", subrequest: "/auth", host: "h"`, "x", "::1", "", "GET / HTTP/1.1", "", "h", ""},
		{"a unix socket", `x, client: unix:, server: _`, "x", "unix:", "_", "", "", "", ""},
		{
			"a message that imitates the context", `open() "/x, client: 1.1.1.1" failed (2: No such file), client: 192.0.2.1, server: s`,
			`open() "/x, client: 1.1.1.1" failed (2: No such file)`, "192.0.2.1", "s", "", "", "", "",
		},
		{
			"a request that imitates the context", `x, client: 192.0.2.1, server: s, request: "GET /, client: 9.9.9.9, server: evil HTTP/1.1", host: "h"`,
			"x", "192.0.2.1", "s", "GET /, client: 9.9.9.9, server: evil HTTP/1.1", "", "h", "",
		},
		{"a quote in the request", `x, client: 192.0.2.1, server: s, request: "GET /"a", host: "h"`, "x", "192.0.2.1", "s", `GET /"a`, "", "h", ""},
		{"no context", "signal process started", "signal process started", "", "", "", "", "", ""},
		{"a context that is none", "x, client: someone", "x, client: someone", "", "", "", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e Error
			require.True(t, e.Parse([]byte(start+test.line+"\n")))
			got := e
			for _, text := range []*[]byte{&got.Client, &got.Server, &got.Request, &got.Upstream, &got.Host, &got.Referrer} {
				if len(*text) == 0 {
					*text = nil
				}
			}
			require.Equal(t, Error{
				Level: []byte("error"), Message: b(test.message), PID: 12, TID: 34, Connection: 56, Client: b(test.client),
				Server: b(test.server), Request: b(test.request), Upstream: b(test.upstream), Host: b(test.host), Referrer: b(test.referrer),
			}, got)
		})
	}
}

func TestErrorWithoutConnection(t *testing.T) {
	var e Error
	require.True(t, e.Parse([]byte("2026/01/02 03:04:05 [notice] 1#1: exiting: 0")))
	require.Equal(t, Error{Level: []byte("notice"), Message: []byte("exiting: 0"), PID: 1, TID: 1, Connection: -1}, e)
	require.True(t, e.Parse([]byte("2026/01/02 03:04:05 [emerg] bind() failed: in use")))
	require.Equal(t, Error{Level: []byte("emerg"), Message: []byte("bind() failed: in use"), PID: -1, TID: -1, Connection: -1}, e)
}

func TestNoError(t *testing.T) {
	for _, line := range []string{
		"", "2026/01/02 03:04:05 ", "2026/01/02 03:04:05 [error", "2026/01/02 03:04:05 [] x", "2026-01-02 03:04:05 [error] x",
		"2026/01/02 03:04:05 error x y", `192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 1`,
	} {
		var e Error
		require.False(t, e.Parse([]byte(line)), line)
	}
}

// A line made of imitations must not take long.
func TestErrorIsBounded(t *testing.T) {
	var e Error
	line := "2026/01/02 03:04:05 [error] 1#1: x" + strings.Repeat(`, client: 1.1.1.1, request: "`, 100_000)
	require.True(t, e.Parse([]byte(line)))
}

func FuzzError(f *testing.F) {
	f.Add([]byte(`2026/01/02 03:04:05 [error] 12#34: *56 x, client: 192.0.2.1, server: s, request: "GET / HTTP/1.1", upstream: "u", host: "h"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Error
		if e.Parse(line) {
			require.NotEmpty(t, e.Level)
			require.LessOrEqual(t, len(e.Message)+len(e.Client)+len(e.Server)+len(e.Request)+len(e.Upstream)+len(e.Host)+len(e.Referrer), len(line))
		}
	})
}
