package harness

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nginxconf "github.com/avika-ai/avika-collector/deploy/nginx"
	"github.com/avika-ai/avika-collector/internal/localstack"
)

// NGINX is a server with a shipped log format. Paths below /app/ come from an application behind it that takes
// AppDelay; /missing/ is 404; every answer has the request id in X-Request-ID.
type NGINX struct {
	*localstack.NGINX
	port int
	// App is host:port of the application.
	App string
}

// AppDelay is how long the application takes.
const AppDelay = 30 * time.Millisecond

// Log formats of deploy/nginx.
const (
	FormatJSON     = "avika"
	FormatCombined = "avika_combined"
)

const nginxTemplate = `pid nginx.pid;
error_log logs/error.log info;
worker_processes 2;
events {}
http {
%s
%s
  access_log logs/access.log %s;
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  keepalive_requests 100000;
  server {
    listen 127.0.0.1:%d;
    add_header X-Request-ID $request_id always;
    location / { return 200 "ok\n"; }
    location /missing/ { return 404; }
    location /app/ { proxy_pass http://%s; }
    location = /nginx_status { access_log off; stub_status; }
  }
}
`

// StartNGINX runs an NGINX that writes the log format.
func StartNGINX(t testing.TB, format string) *NGINX {
	t.Helper()
	needs(t, localstack.HaveNGINX())
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(AppDelay)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(app.Close)
	n := &NGINX{port: Ports(t, 1)[0], App: strings.TrimPrefix(app.URL, "http://")}
	server, err := localstack.StartNGINX(startContext(t), localstack.NGINXOptions{
		Dir:    tempDir(t),
		Config: fmt.Sprintf(nginxTemplate, nginxconf.LogFormat, nginxconf.CombinedLogFormat, format, n.port, n.App),
		Ready:  n.StatusURL(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	showLogOnFailure(t, "NGINX", n.errorLog(server))
	n.NGINX = server
	return n
}

func (n *NGINX) errorLog(server *localstack.NGINX) string {
	return filepath.Join(server.Dir(), "logs", "error.log")
}

// URL is the address of a path.
func (n *NGINX) URL(path string) string { return "http://" + localAddr(n.port) + path }

// StatusURL is the stub_status page.
func (n *NGINX) StatusURL() string { return n.URL("/nginx_status") }

// AccessLog is the log's path.
func (n *NGINX) AccessLog() string { return filepath.Join(n.Dir(), "logs", "access.log") }

// ErrorLog is the error log's path.
func (n *NGINX) ErrorLog() string { return n.errorLog(n.NGINX) }

// NGINXVersion is the installed version, as in 1.22.1.
func NGINXVersion(t testing.TB) string {
	t.Helper()
	path := "nginx"
	if _, err := exec.LookPath(path); err != nil {
		path = "/usr/sbin/nginx"
	}
	out, err := exec.Command(path, "-v").CombinedOutput()
	require.NoError(t, err)
	_, version, found := strings.Cut(strings.TrimSpace(string(out)), "nginx/")
	require.True(t, found, "%s", out)
	version, _, _ = strings.Cut(version, " ")
	return version
}
