package servers

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// The role has another name than in production, because the superuser of these tests is called avika.
const (
	postgresRole     = "avika_gateway"
	postgresPassword = "it's of the gateways"
)

// startTunedPostgres runs a server with the shipped settings and roles, and returns the gateways' DSN.
func startTunedPostgres(t *testing.T) (pg *localstack.Postgres, dsn string) {
	t.Helper()
	folder := filepath.Join(harness.Root(t), "deploy/postgresql")
	text, err := os.ReadFile(filepath.Join(folder, "avika.conf"))
	require.NoError(t, err)
	pg = harness.StartPostgresWith(t, localstack.PostgresOptions{Config: string(text)})
	psql(t, pg.DSN(), "-v", "role="+postgresRole, "-v", "password="+postgresPassword, "-f", filepath.Join(folder, "roles.sql"))
	user := url.UserPassword(postgresRole, postgresPassword)
	return pg, "postgres://" + user.String() + "@" + pg.Addr() + "/avika?sslmode=disable"
}

func psql(t *testing.T, dsn string, args ...string) string {
	t.Helper()
	out, err := exec.Command("psql", append([]string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", dsn}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

// TestPostgresTuning: the guide's values are what a server works with.
func TestPostgresTuning(t *testing.T) {
	_, dsn := startTunedPostgres(t)
	for name, want := range map[string]string{
		"max_connections":                     "500",
		"shared_buffers":                      "512MB",
		"work_mem":                            "16MB",
		"effective_cache_size":                "1GB",
		"log_min_duration_statement":          "1s",
		"idle_in_transaction_session_timeout": "1min",
	} {
		assert.Equal(t, want, psql(t, dsn, "-c", "SHOW "+name), name)
	}
}

// TestPostgresRole: the gateway makes its schema and works as a role that is no superuser and owns nothing else.
func TestPostgresRole(t *testing.T) {
	ch := harness.StartClickHouse(t)
	pg, dsn := startTunedPostgres(t)
	g := harness.StartGateway(t, harness.GatewayOptions{Config: "embedded:gateway", ClickHouse: ch.Addr(), Postgres: dsn})
	harness.StartAgent(t, g.AgentAddr(), "--agents", "3", "--rate", "1")
	require.Eventually(t, func() bool {
		return psql(t, dsn, "-c", "SELECT count(*) FROM avika.agents") == "3"
	}, harness.WaitFor, 10*harness.Tick)
	assert.Equal(t, "f,f,f", psql(t, dsn, "-F", ",", "-c",
		"SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"))
	assert.Equal(t, "f", psql(t, pg.DSN(), "-c", "SELECT has_database_privilege('public', 'avika', 'CONNECT')"))
}
