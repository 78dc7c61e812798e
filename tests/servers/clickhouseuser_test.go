package servers

import (
	"context"
	"errors"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// user is a connection of somebody who may not do everything.
type user struct {
	name string
	conn driver.Conn
}

func userOf(t *testing.T, ch *harness.ClickHouse, name, password string) user {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{ch.Addr()}, Auth: clickhouse.Auth{Username: name, Password: password},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return user{name, conn}
}

func (u user) allowed(t *testing.T, statement string) {
	t.Helper()
	require.NoError(t, u.conn.Exec(context.Background(), statement), "%s: %s", u.name, statement)
}

// ClickHouse's codes for what a user may not do.
const (
	codeAccessDenied = 497
	codeReadOnly     = 164
)

func (u user) refused(t *testing.T, statement string) {
	t.Helper()
	err := u.conn.Exec(context.Background(), statement)
	var exception *clickhouse.Exception
	require.True(t, errors.As(err, &exception), "%s: %s: %v", u.name, statement, err)
	require.Contains(t, []int32{codeAccessDenied, codeReadOnly}, exception.Code, "%s: %s: %v", u.name, statement, err)
}
