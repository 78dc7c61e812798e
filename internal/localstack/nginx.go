package localstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// NGINXOptions say what an NGINX serves.
type NGINXOptions struct {
	// Dir is the prefix to which relative paths in Config refer; empty: a temporary folder that Stop removes. It has
	// the folders conf (with nginx.conf), logs and tmp.
	Dir string
	// Config is the whole text of nginx.conf.
	Config string
	// Ready is the URL that answers 200 when the server is up.
	Ready string
}

// NGINX is a running server.
type NGINX struct {
	server
	dir string
}

// StartNGINX writes the configuration, starts the server in the foreground and waits until it answers.
func StartNGINX(ctx context.Context, opts NGINXOptions) (*NGINX, error) {
	binary, err := nginxBinary()
	if err != nil {
		return nil, err
	}
	dir, temporary, err := dataDir(opts.Dir, "nginx")
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"conf", "logs", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make NGINX's folders: %w", err)
		}
	}
	n := &NGINX{dir: dir}
	if err := os.WriteFile(n.ConfigFile(), []byte(opts.Config), 0o644); err != nil {
		return nil, fmt.Errorf("write nginx.conf: %w", err)
	}
	n.server = server{
		spec: Spec{
			// SIGTERM, also when this process dies: NGINX's master must be alive to end its workers. SIGQUIT would wait
			// up to a minute for clients that connected and said nothing yet.
			Name: "NGINX", LogFile: filepath.Join(dir, "logs", "nginx.out"), StopSignal: syscall.SIGTERM,
			Args: []string{binary, "-p", dir, "-c", n.ConfigFile(), "-e", filepath.Join(dir, "logs", "error.log"), "-g", "daemon off;"},
		},
		ready:     func(ctx context.Context) error { return httpOK(ctx, opts.Ready) },
		temporary: temporary, grace: stopGrace,
	}
	return n, n.start(ctx)
}

// Dir is the prefix.
func (n *NGINX) Dir() string { return n.dir }

// ConfigFile is nginx.conf; change it, then Reload.
func (n *NGINX) ConfigFile() string { return filepath.Join(n.dir, "conf", "nginx.conf") }

// Reload makes the server read its configuration again.
func (n *NGINX) Reload() error { return n.Signal(syscall.SIGHUP) }

// Reopen makes the server open its log files again, after they were renamed.
func (n *NGINX) Reopen() error { return n.Signal(syscall.SIGUSR1) }

// nginxBinary looks in /usr/sbin too, which is not on every user's PATH.
func nginxBinary() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("NGINX is not installed (Debian: apt-get install nginx)")
}

// HaveNGINX tells whether StartNGINX can work here, and why not.
func HaveNGINX() error {
	_, err := nginxBinary()
	return err
}
