package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRun(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sick" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprint(w, "state ", r.URL.RawQuery)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for _, tc := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{address + "/?debug=1"}, 0, "state debug=1", ""},
		{[]string{"-fsS", server.URL + "/"}, 0, "state ", ""},
		{[]string{address + "/sick"}, 0, "state ", ""},
		{[]string{"-f", address + "/sick"}, exitRefused, "state ", "status 503"},
		{[]string{"-sf", "-m", "5", address + "/sick"}, exitRefused, "state ", "status 503"},
		{[]string{"127.0.0.1:1/"}, exitFailed, "", "127.0.0.1:1"},
		{[]string{"-x", address}, exitUsage, "", "-x"},
		{nil, exitUsage, "", "one URL is needed"},
		{[]string{"--help"}, 0, "httpget fetches a URL", ""},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, tc.code, run(tc.args, &stdout, &stderr), tc.args)
		assert.Contains(t, stdout.String(), tc.stdout, tc.args)
		assert.Contains(t, stderr.String(), tc.stderr, tc.args)
	}
}
