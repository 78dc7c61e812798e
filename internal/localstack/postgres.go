package localstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// PostgresOptions say where a PostgreSQL server runs. The zero value means a free port and a temporary folder.
type PostgresOptions struct {
	// Dir holds the data; empty: a temporary folder that Stop removes. The server does not run as root: when this
	// process does, the folder is handed to the user postgres, else nobody, who must be able to enter its parents.
	Dir string
	// Port; 0: a free one.
	Port int
	// Settings are further server settings, "name=value".
	Settings []string
	// Config is the whole text of postgresql.conf; empty: initdb's, with less memory and 200 connections.
	Config string
}

// Postgres is a running server with the superuser `avika` without a password.
type Postgres struct {
	server
	opts PostgresOptions
}

// StartPostgres creates the data folder when it is empty, starts the server and waits until it accepts connections.
func StartPostgres(ctx context.Context, opts PostgresOptions) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	if err := fillPorts(&opts.Port); err != nil {
		return nil, err
	}
	dir, temporary, err := dataDir(opts.Dir, "postgres")
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if err := initPostgres(ctx, bin, dir, owner); err != nil {
		return nil, err
	}
	if opts.Config != "" {
		if err := os.WriteFile(filepath.Join(dir, "data", "postgresql.conf"), []byte(opts.Config), 0o600); err != nil {
			return nil, fmt.Errorf("write postgresql.conf: %w", err)
		}
	}
	pg := &Postgres{opts: opts}
	pg.server = server{
		spec: Spec{
			Name: "PostgreSQL", Args: postgresCommand(bin, opts), LogFile: filepath.Join(dir, "postgres.log"), Dir: dir,
			StopSignal: syscall.SIGINT, credential: owner,
		},
		ready: pg.accepts(bin), temporary: temporary, grace: stopGrace,
	}
	return pg, pg.start(ctx)
}

// Addr is host:port.
func (pg *Postgres) Addr() string { return address(pg.opts.Port) }

// DSN connects to the empty database postgres as superuser.
func (pg *Postgres) DSN() string {
	return "postgres://avika@" + pg.Addr() + "/postgres?sslmode=disable"
}

// accepts asks the server itself: an open port is not enough while it recovers.
func (pg *Postgres) accepts(bin string) func(context.Context) error {
	return func(ctx context.Context) error {
		args := []string{"-q", "-h", host, "-p", strconv.Itoa(pg.opts.Port), "-d", "postgres", "-U", "avika"}
		return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), args...).Run()
	}
}

// postgresCommand trades safety against a crash of the machine (not of the server) for speed.
func postgresCommand(bin string, opts PostgresOptions) []string {
	args := []string{
		filepath.Join(bin, "postgres"), "-D", filepath.Join(opts.Dir, "data"), "-h", host, "-p", strconv.Itoa(opts.Port),
		"-k", opts.Dir, "-c", "fsync=off", "-c", "full_page_writes=off",
	}
	if opts.Config == "" {
		args = append(args, "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	}
	for _, setting := range opts.Settings {
		args = append(args, "-c", setting)
	}
	return args
}

func initPostgres(ctx context.Context, bin, dir string, owner *syscall.Credential) error {
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return nil
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("hand the folder to the server's user: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "avika", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create a PostgreSQL data folder: %w\n%s", err, out)
	}
	return nil
}

// postgresBin is the folder with the server's programs: that of `postgres` on PATH, else the newest of Debian's.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
	}
	slices.SortFunc(found, func(a, b string) int { return debianVersion(a) - debianVersion(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// debianVersion is the 15 of /usr/lib/postgresql/15/bin/postgres.
func debianVersion(path string) int {
	v, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return v
}

// HavePostgres tells whether StartPostgres can work here, and why not.
func HavePostgres() error {
	_, err := postgresBin()
	return err
}

// unprivileged is the user to run as; nil: the current one, who is not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL's server does not run as root, and there is no user postgres or nobody")
}
