// Package testenv finds the real servers that tests run against. `make test` starts them (cmd/localstack exec); a test
// that is run without them is skipped, except in CI, where nothing may be skipped.
package testenv

import (
	"os"
	"testing"
)

// ClickHouse is host:port of a ClickHouse's native protocol, user `default`, no password.
func ClickHouse(t testing.TB) string {
	t.Helper()
	return need(t, "AVIKA_TEST_CLICKHOUSE", "ClickHouse", "--clickhouse")
}

// ClickHouseHTTP is host:port of the same server's HTTP interface.
func ClickHouseHTTP(t testing.TB) string {
	t.Helper()
	return need(t, "AVIKA_TEST_CLICKHOUSE_HTTP", "ClickHouse", "--clickhouse")
}

// Postgres is the DSN of a PostgreSQL superuser on an empty database.
func Postgres(t testing.TB) string {
	t.Helper()
	return need(t, "AVIKA_TEST_POSTGRES", "PostgreSQL", "--postgres")
}

func need(t testing.TB, variable, server, flag string) string {
	t.Helper()
	if value := os.Getenv(variable); value != "" {
		return value
	}
	Missing(t, variable+" is not set: run the test through `go run ./cmd/localstack exec "+flag+" -- go test ...` for a "+server)
	return ""
}

// Missing skips the test with a reason, or fails it when CI=true.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
