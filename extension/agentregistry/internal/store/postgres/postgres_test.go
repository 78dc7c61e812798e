package postgres

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/storetest"
	"github.com/avika-ai/avika-collector/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database creates an empty database that is dropped after the test, and returns its DSN.
func database(t *testing.T) string {
	t.Helper()
	dsn := testenv.Postgres(t)
	admin, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	name := fmt.Sprintf("test_%s_%d", strings.Map(letters, strings.ToLower(t.Name())), time.Now().UnixNano())
	name = name[max(0, len(name)-60):]
	_, err = admin.Exec(t.Context(), "create database "+pgx.Identifier{name}.Sanitize())
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec(context.Background(), "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)")
		assert.NoError(t, err)
		assert.NoError(t, admin.Close(context.Background()))
	})
	target, err := url.Parse(dsn)
	require.NoError(t, err)
	target.Path = "/" + name
	return target.String()
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

func settings(dsn string) Settings {
	return Settings{DSN: dsn, MaxConns: 4, ConnectTimeout: 5 * time.Second, Listen: true}
}

func openStore(t *testing.T, s Settings) *Store {
	t.Helper()
	opened, err := Open(s)
	require.NoError(t, err)
	return opened
}

func TestConformance(t *testing.T) {
	testenv.Postgres(t)
	storetest.Run(t, true, func(t *testing.T) store.Store { return openStore(t, settings(database(t))) })
}
