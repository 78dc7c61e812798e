package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// prepareTimeout bounds one download.
const prepareTimeout = 10 * time.Minute

// prepare fetches what is missing. It tells whether there is an NGINX.
func (s *stack) prepare(ctx context.Context) (nginx bool, err error) {
	if err := os.MkdirAll(s.opts.data, 0o755); err != nil {
		return false, fmt.Errorf("make the data folder: %w", err)
	}
	if s.opts.clickHouse == "" && localstack.HaveClickHouse() != nil {
		if err := s.fetchEngine(ctx); err != nil {
			return false, err
		}
	}
	missing := localstack.HaveNGINX()
	if missing != nil {
		missing = s.installNGINX(ctx)
	}
	if missing != nil {
		s.screen.say("! %v\n  going on with a simulated fleet of %d agents", missing, fleetAgents)
	}
	return missing == nil, ctx.Err()
}

// fetchEngine installs the npm package with ClickHouse's engine for this platform.
func (s *stack) fetchEngine(ctx context.Context) error {
	args, err := npmArguments(s.opts.root)
	if err != nil {
		return err
	}
	return s.screen.step("fetching ClickHouse's engine with npm (170 MB)", func() error {
		if err := s.command(ctx, "npm", args...); err != nil {
			return err
		}
		return localstack.HaveClickHouse()
	})
}

// npmArguments: the lock file knows the package of Linux on x86-64; on other platforms the same version is asked for.
func npmArguments(root string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return nil, fmt.Errorf("read the version of ClickHouse's engine: %w", err)
	}
	var manifest struct {
		OptionalDependencies map[string]string `json:"optionalDependencies"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, fmt.Errorf("read package.json: %w", err)
	}
	wanted := localstack.EnginePackage()
	if wanted == "" {
		return nil, errors.New("npm has no ClickHouse engine for this platform: install clickhouse, or set CLICKHOUSE_ENDPOINT")
	}
	if _, locked := manifest.OptionalDependencies[wanted]; locked {
		return []string{"ci", "--no-audit", "--no-fund"}, nil
	}
	for _, version := range manifest.OptionalDependencies {
		return []string{"install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", wanted + "@" + version}, nil
	}
	return nil, errors.New("package.json names no ClickHouse engine")
}

// installNGINX uses apt-get where that needs no password. Its error says what is missing and how to get it.
func (s *stack) installNGINX(ctx context.Context) error {
	missing := localstack.HaveNGINX()
	sudo, allowed := aptAllowed(ctx)
	if !allowed {
		return missing
	}
	err := s.screen.step("installing NGINX with apt-get", func() error {
		apt := append(sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get")
		update := append(append([]string(nil), apt...), "update", "-qq")
		install := append(append([]string(nil), apt...), "install", "-y", "-qq", "--no-install-recommends", "nginx")
		if err := s.command(ctx, update[0], update[1:]...); err != nil {
			return err
		}
		return s.command(ctx, install[0], install[1:]...)
	})
	return errors.Join(err, localstack.HaveNGINX())
}

// aptAllowed returns what to put before apt-get, and whether it can be used without asking.
func aptAllowed(ctx context.Context) (sudo []string, allowed bool) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, false
	}
	if os.Geteuid() == 0 {
		return nil, true
	}
	return []string{"sudo", "-n"}, exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil
}

// command runs a program to its end; its output goes to a log whose end is in the error.
func (s *stack) command(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%s is needed: %w", name, err)
	}
	log := s.logFile("prepare")
	p, err := localstack.StartProcess(localstack.Spec{Name: name, Args: append([]string{name}, args...), Dir: s.opts.root, LogFile: log})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, localstack.Tail(log, 10))
	}
	return nil
}
