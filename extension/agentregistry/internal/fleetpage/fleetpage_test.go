package fleetpage

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	h, err := Handler()
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(body)
}

func TestPageNamesFilesThatExist(t *testing.T) {
	index := get(t, "/")
	assert.Equal(t, http.StatusOK, index.StatusCode)
	assert.Equal(t, "no-cache", index.Header.Get("Cache-Control"))
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(text(t, index), -1)
	require.Len(t, links, 7)
	for _, link := range links {
		answer := get(t, "/"+link[1])
		assert.Equal(t, http.StatusOK, answer.StatusCode, link[1])
		assert.Contains(t, answer.Header.Get("Cache-Control"), "immutable", link[1])
		assert.NotEmpty(t, answer.Header.Get("Content-Type"), link[1])
	}
}

func TestPolicy(t *testing.T) {
	policy := get(t, "/").Header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	for _, loose := range []string{"unsafe", "http:", "https:", "data:", "*"} {
		assert.NotContains(t, policy, loose)
	}
}

// TestNoForeignHostsAndNoHTML looks at what the browser would only notice when it comes there.
func TestNoForeignHostsAndNoHTML(t *testing.T) {
	h, err := Handler()
	require.NoError(t, err)
	for name, f := range h.(*page).files {
		content := strings.ReplaceAll(string(f.plain), "http://www.w3.org/", "")
		assert.NotRegexp(t, `(src|href|url\()=?["'(]?https?:`, content, name)
		assert.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`, content, name)
		assert.NotEmpty(t, f.kind, name)
	}
}

func TestOtherVersionsFilesAreNotKept(t *testing.T) {
	answer := get(t, "/assets/0123456789ab/app/main.js")
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.Equal(t, "no-cache", answer.Header.Get("Cache-Control"))
}

func TestUnknownFiles(t *testing.T) {
	for _, path := range []string{"/index.html", "/nothing", "/assets/x/nothing.js", "/assets/x/../index.html", "/assets/"} {
		assert.Equal(t, http.StatusNotFound, get(t, path).StatusCode, path)
	}
}

func TestCompressed(t *testing.T) {
	plain, packed := get(t, "/"), get(t, "/", "Accept-Encoding", "br, gzip")
	assert.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
	r, err := gzip.NewReader(bytes.NewBufferString(text(t, packed)))
	require.NoError(t, err)
	unpacked, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, text(t, plain), string(unpacked))
}
