package localstack_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

func startPostgres(t *testing.T) *localstack.Postgres {
	t.Helper()
	if err := localstack.HavePostgres(); err != nil {
		testenv.Missing(t, err.Error())
	}
	pg, err := localstack.StartPostgres(startContext(t), localstack.PostgresOptions{Settings: []string{"max_connections=30"}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	return pg
}

func sqlValue(t *testing.T, pg *localstack.Postgres, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(startContext(t), pg.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

func TestPostgresKeepsDataThroughKillAndRestart(t *testing.T) {
	pg := startPostgres(t)
	assert.Equal(t, "30", sqlValue(t, pg, "SHOW max_connections"))
	assert.Equal(t, "7", sqlValue(t, pg, "WITH a AS (SELECT 7 AS n) SELECT n::text FROM a"))
	conn, err := pgx.Connect(startContext(t), pg.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), "CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
	require.NoError(t, err)
	require.NoError(t, pg.Kill())
	require.Error(t, conn.Ping(t.Context()))
	require.NoError(t, pg.Restart(startContext(t)))
	assert.Equal(t, "100", sqlValue(t, pg, "SELECT count(*)::text FROM t"))
}

func TestPostgresPausedDoesNotAnswer(t *testing.T) {
	pg := startPostgres(t)
	conn, err := pgx.Connect(startContext(t), pg.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	require.NoError(t, pg.Pause())
	answered := make(chan error, 1)
	go func() { answered <- conn.Ping(t.Context()) }()
	select {
	case <-answered:
		t.Fatal("a backend answered while the server was paused")
	case <-time.After(200 * time.Millisecond):
	}
	require.NoError(t, pg.Resume())
	assert.NoError(t, <-answered)
}
