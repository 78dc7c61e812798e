package harness

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// StartPostgres runs a PostgreSQL of the test's own.
func StartPostgres(t testing.TB) *localstack.Postgres {
	t.Helper()
	return StartPostgresWith(t, localstack.PostgresOptions{})
}

// StartPostgresWith runs a server with options.
func StartPostgresWith(t testing.TB, opts localstack.PostgresOptions) *localstack.Postgres {
	t.Helper()
	needs(t, localstack.HavePostgres())
	pg, err := localstack.StartPostgres(startContext(t), opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	showLogOnFailure(t, "PostgreSQL", pg.LogFile())
	return pg
}
