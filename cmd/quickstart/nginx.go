package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"text/template"

	nginxconf "github.com/avika-ai/avika-collector/deploy/nginx"
	"github.com/avika-ai/avika-collector/internal/localstack"
)

const (
	statusPath = "/nginx_status"
	// maxAccessLog is the size from which a log of earlier runs is put aside.
	maxAccessLog = 256 << 20
)

var (
	//go:embed nginx.conf.tmpl
	nginxTemplate string
	//go:embed index.html
	indexPage []byte
)

func (s *stack) nginxDir() string { return filepath.Join(s.opts.data, "nginx") }

// nginxConfDir holds nothing but the configuration, which the agent hashes.
func (s *stack) nginxConfDir() string { return filepath.Join(s.nginxDir(), "conf") }

func (s *stack) accessLog() string { return filepath.Join(s.nginxDir(), "logs", "access.log") }

func (s *stack) errorLog() string { return filepath.Join(s.nginxDir(), "logs", "error.log") }

func (s *stack) startNGINX(ctx context.Context) error {
	backends, err := startBackends()
	if err != nil {
		return err
	}
	s.parts = append(s.parts, part{name: shopName, stop: backends.stop})
	return s.step(ctx, "starting NGINX", func(ctx context.Context) (part, error) {
		if err := s.prepareSite(); err != nil {
			return part{}, err
		}
		conf, err := s.nginxConf(backends)
		if err != nil {
			return part{}, err
		}
		s.nginx, err = localstack.StartNGINX(ctx, localstack.NGINXOptions{
			Dir: s.nginxDir(), Config: conf, Ready: "http://" + addr(s.opts.nginxPort) + statusPath,
		})
		if err != nil {
			return part{}, err
		}
		return part{nginxName, s.nginx.Stop, s.nginx.Done(), s.errorLog()}, nil
	})
}

// prepareSite writes the page and keeps the access log from growing from run to run.
func (s *stack) prepareSite() error {
	html := filepath.Join(s.nginxDir(), "html")
	if err := os.MkdirAll(html, 0o755); err != nil {
		return fmt.Errorf("make the site: %w", err)
	}
	if err := os.WriteFile(filepath.Join(html, "index.html"), indexPage, 0o644); err != nil {
		return fmt.Errorf("make the site: %w", err)
	}
	if info, err := os.Stat(s.accessLog()); err == nil && info.Size() > maxAccessLog {
		return os.Rename(s.accessLog(), s.accessLog()+".1")
	}
	return nil
}

func (s *stack) nginxConf(b *backends) (string, error) {
	t, err := template.New("nginx.conf").Parse(nginxTemplate)
	if err != nil {
		return "", fmt.Errorf("read nginx.conf's template: %w", err)
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]string{
		"User": workerUser(), "LogFormat": nginxconf.LogFormat, "Listen": addr(s.opts.nginxPort),
		"Backend1": b.addrs[0], "Backend2": b.addrs[1], "StatusPath": statusPath,
	})
	if err != nil {
		return "", fmt.Errorf("write nginx.conf: %w", err)
	}
	return text.String(), nil
}

// workerUser is root when this process is: its workers read and write below the repository, which another user may not
// be able to enter. Empty: NGINX's workers run as the current user anyway.
func workerUser() string {
	if os.Geteuid() != 0 {
		return ""
	}
	if u, err := user.LookupId("0"); err == nil {
		return u.Username
	}
	return "root"
}
