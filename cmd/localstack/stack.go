package main

import (
	"context"
	"fmt"
	"os"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// stack is the servers that were started, and the environment that tells where they are.
type stack struct {
	env   []string
	stops []func() error
}

func (s *stack) start(ctx context.Context, clickhouse, postgres, nginx bool) error {
	starts := []struct {
		wanted bool
		start  func(context.Context) error
	}{{clickhouse, s.startClickHouse}, {postgres, s.startPostgres}, {nginx, s.startNGINX}}
	for _, one := range starts {
		if !one.wanted {
			continue
		}
		if err := one.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) startClickHouse(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	c, err := localstack.StartClickHouse(ctx, localstack.ClickHouseOptions{Launcher: []string{self, "clickhouse"}})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, c.Stop)
	s.env = append(s.env, "AVIKA_TEST_CLICKHOUSE="+c.Addr(), "AVIKA_TEST_CLICKHOUSE_HTTP="+c.HTTPAddr())
	return nil
}

func (s *stack) startPostgres(ctx context.Context) error {
	pg, err := localstack.StartPostgres(ctx, localstack.PostgresOptions{})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, pg.Stop)
	s.env = append(s.env, "AVIKA_TEST_POSTGRES="+pg.DSN())
	return nil
}

const nginxConf = `events {}
http {
  access_log off;
  server {
    listen %[1]s;
    location / { return 200 "ok\n"; }
    location = /nginx_status { stub_status; }
  }
}
`

func (s *stack) startNGINX(ctx context.Context) error {
	ports, err := localstack.FreePorts(1)
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	n, err := localstack.StartNGINX(ctx, localstack.NGINXOptions{
		Config: "pid nginx.pid;\n" + fmt.Sprintf(nginxConf, addr), Ready: "http://" + addr + "/",
	})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, n.Stop)
	s.env = append(s.env, "AVIKA_TEST_NGINX="+addr)
	return nil
}

// stop ends the servers, the last one first.
func (s *stack) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		if err := s.stops[i](); err != nil {
			fmt.Fprintln(os.Stderr, "localstack:", err)
		}
	}
}
