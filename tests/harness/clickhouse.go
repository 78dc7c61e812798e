package harness

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// Database is where the shipped configurations write.
const Database = "nginx_analytics"

// ClickHouse is a server with a connection to it.
type ClickHouse struct {
	*localstack.ClickHouse
	conn driver.Conn
}

// StartClickHouse runs a server of the test's own.
func StartClickHouse(t testing.TB) *ClickHouse {
	t.Helper()
	return StartClickHouseWith(t, localstack.ClickHouseOptions{})
}

// StartClickHouseWith runs a server with options; its user default must need no password.
func StartClickHouseWith(t testing.TB, opts localstack.ClickHouseOptions) *ClickHouse {
	t.Helper()
	needs(t, localstack.HaveClickHouse())
	if opts.Dir == "" {
		opts.Dir = tempDir(t)
	}
	server, err := localstack.StartClickHouse(startContext(t), opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	showLogOnFailure(t, "ClickHouse", server.LogFile())
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{server.Addr()}, DialTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	revive(t, server)
	return &ClickHouse{ClickHouse: server, conn: conn}
}

// revive starts a server again that has aborted by itself, as a supervisor would. The engine from npm does so at times
// when a client is killed in the middle of an insert.
func revive(t testing.TB, server *localstack.ClickHouse) {
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(Tick)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if revived, err := server.Revive(context.Background()); revived {
				t.Log("ClickHouse aborted and is started again:", err)
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		watching.Wait()
	})
}

// Exec runs a statement.
func (c *ClickHouse) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	require.NoError(t, c.conn.Exec(context.Background(), sql, args...))
}

// Uint asks for one number. It fails t, which may be an assert.CollectT, and returns 0 when the query fails.
func (c *ClickHouse) Uint(t assert.TestingT, sql string, args ...any) uint64 {
	var n uint64
	assert.NoError(t, c.conn.QueryRow(context.Background(), "SELECT toUInt64(("+sql+"))", args...).Scan(&n), sql)
	return n
}

// String asks for one text.
func (c *ClickHouse) String(t assert.TestingT, sql string, args ...any) string {
	var s string
	assert.NoError(t, c.conn.QueryRow(context.Background(), "SELECT toString(("+sql+"))", args...).Scan(&s), sql)
	return s
}

// Select reads rows into a slice of structs with `ch` tags.
func (c *ClickHouse) Select(t assert.TestingT, into any, sql string, args ...any) bool {
	return assert.NoError(t, c.conn.Select(context.Background(), into, sql, args...), sql)
}
