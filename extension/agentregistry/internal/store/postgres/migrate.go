package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	versionTable = "avika.schema_version"
	// migrationLock keeps gateways that start together from migrating together. It is held by a transaction.
	migrationLock = 0x6176696b61 // "avika"
)

// SchemaError says that this binary does not know the schema well enough.
type SchemaError struct {
	// Schema is the database's version, Known this binary's, Oldest the oldest that works with the schema.
	Schema, Known, Oldest int32
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the registry's schema has version %d and needs a gateway that knows version %d; this one knows %d: update it", e.Schema, e.Oldest, e.Known)
}

// migrateSchema brings the schema up to this binary's version, in one transaction, so that it works through a PgBouncer too
// and a gateway that dies in between leaves nothing half done. A newer schema is accepted when it says that it can be.
func migrateSchema(ctx context.Context, conn *pgx.Conn) (err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin the migration: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(tx.Rollback(context.WithoutCancel(ctx))))
		}
	}()
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for the migration of another gateway: %w", err)
	}
	if err := createSchema(ctx, tx); err != nil {
		return err
	}
	migrator, err := migrate.NewMigratorEx(ctx, conn, versionTable, &migrate.MigratorOptions{DisableTx: true})
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}
	if err := migrator.LoadMigrations(files); err != nil {
		return fmt.Errorf("load migrations: %w", err)
	}
	if err := upgrade(ctx, migrator, tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit the migration: %w", err)
	}
	return nil
}

// createSchema asks first, as even "if not exists" needs the right to create.
func createSchema(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	if err := tx.QueryRow(ctx, "select to_regnamespace('avika') is not null").Scan(&exists); err != nil {
		return fmt.Errorf("look for schema avika: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := tx.Exec(ctx, "create schema avika"); err != nil {
		return fmt.Errorf("create schema avika: %w", err)
	}
	return nil
}

func upgrade(ctx context.Context, migrator *migrate.Migrator, tx pgx.Tx) error {
	version, err := migrator.GetCurrentVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	known := int32(len(migrator.Migrations)) //nolint:gosec // a handful of files
	if version == known {
		return nil
	}
	if version < known {
		if err := migrator.Migrate(ctx); err != nil {
			return fmt.Errorf("migrate from version %d to %d: %w", version, known, err)
		}
		return nil
	}
	var oldest int32
	if err := tx.QueryRow(ctx, "select oldest from avika.compatibility").Scan(&oldest); err != nil {
		return fmt.Errorf("ask which gateways the schema works with: %w", err)
	}
	if oldest > known {
		return &SchemaError{Schema: version, Known: known, Oldest: oldest}
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, pgx.ErrTxClosed) {
		return nil
	}
	return err
}

// broken recognizes connections that ended in the middle.
func broken(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) { // the server said why: it shuts down, or somebody ended the connection
		return pg.Code == "57P01" || pg.Code == "57P02"
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
